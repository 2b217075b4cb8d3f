"""The encoding: who looks how, whatever others are there, and whether readers can tell the looks apart."""

from itertools import combinations, pairwise

import numpy as np
import pytest

from nacbench.recording.row import row_of
from nacbench.registry import MODELS
from nacbench.reporting.figures.style import COLOURS, ORDER, Encoding, looks_of_models
from nacbench.reporting.series import Series, group
from tests.made import made_record

# What people without the red, green or blue cones see, on linear RGB (Machado, Oliveira and Fernandes 2009, severity 1)
SIGHTS = {
    "all cones": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
MANY = [*ORDER, "floor-linear", "floor-nearest-mean", *(f"plug-in-{number}" for number in range(12))]


def series(**models: tuple[float, ...]) -> list[Series]:
    """Series of models with these learning rates."""
    records = [made_record(model=model.replace("_", "-"), lr=lr) for model, rates in models.items() for lr in rates]
    return group([row_of(record, record.run_id, 1, 1) for record in records])


def lab(colour: str, sight: np.ndarray) -> np.ndarray:
    """CIELAB coordinates of a colour as somebody sees it (D65)."""
    rgb = np.array([int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(sight @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(to_xyz @ seen / [0.9505, 1.0, 1.089], 1e-9))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_no_two_of_many_models_look_the_same() -> None:
    looks = looks_of_models(MANY)
    assert len({(look.colour, look.marker) for look in looks.values()}) == len(MANY) == 33
    assert list(looks)[:4] == ["nac", "perceiver-io", "vit", "transformer"]


@pytest.mark.parametrize("left_out", MANY)
def test_a_model_keeps_its_look_when_another_is_left_out(left_out: str) -> None:
    rest = [name for name in (*ORDER, "mine", "floor-linear") if name != left_out]
    whole = looks_of_models({*rest, left_out})
    assert looks_of_models(rest) == {name: whole[name] for name in looks_of_models(rest)}


@pytest.mark.parametrize("name", ["my-baseline", "mine", "theirs", "plug-in-3"])
def test_a_plug_in_has_a_colour_of_its_own_while_one_is_free(name: str) -> None:
    looks = looks_of_models(["nac", "perceiver-io", "vit", name])
    assert len({look.colour for look in looks.values()}) == 4


def test_every_model_of_ours_has_a_place_of_its_own() -> None:
    assert {name for name in MODELS.names() if not name.startswith("floor-")} <= set(ORDER)


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_differ_for_all_readers(sight: str) -> None:
    distances = [np.linalg.norm(lab(a, SIGHTS[sight]) - lab(b, SIGHTS[sight])) for a, b in combinations(COLOURS, 2)]
    assert min(distances) > 10, "in units of CIELAB, of which 2 can just be seen side by side"


def test_models_of_one_colour_have_other_markers() -> None:
    looks = looks_of_models(ORDER)
    for colour in COLOURS:
        own = [look.marker for look in looks.values() if look.colour == colour]
        assert len(set(own)) == len(own)
    assert all(a.colour != b.colour and a.marker != b.marker for a, b in pairwise(looks.values()))


def test_variants_share_colour_and_marker_and_differ_in_line_and_fill() -> None:
    mine = series(nac=(0.001, 0.003, 0.01), vit=(0.001,))
    looks = Encoding(mine)
    of = {looks.label(item): looks.of(item) for item in mine}
    variants = [of[f"nac, lr={rate}"] for rate in (0.001, 0.003, 0.01)]
    assert len({(look.colour, look.marker) for look in variants}) == 1
    assert len({str(look.line) for look in variants}) == len({look.fill for look in variants}) == 3
    assert (of["vit"].line, of["vit"].fill) == ("-", "full")


def test_sizes_of_a_model_on_one_task_are_told_apart() -> None:
    records = [made_record(size=size) for size in ("mini", "small")] + [made_record(model="vit")]
    mine = group([row_of(record, record.run_id, 1, 1) for record in records])
    looks = Encoding(mine)
    assert sorted(map(looks.label, mine)) == ["nac", "nac (small)", "vit"]
    assert len({looks.of(item) for item in mine}) == 3
