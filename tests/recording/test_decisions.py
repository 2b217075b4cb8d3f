"""The file that says which series were given seeds until a decision: it marks runs, and goes wherever they go."""

import json
from pathlib import Path

import pytest

from nacbench.data.mirror.unpack import unpack
from nacbench.errors import UserError
from nacbench.recording.decisions import DECISIONS, Asked, Decision, Member, begin, marked, read_decisions
from nacbench.recording.index import read_runs
from nacbench.recording.row import Run, row_of
from nacbench.recording.transfer import merge, pack, unpack_into
from tests.made import made_record, write_run


def asked(*models: str, bar: float = 0.0) -> Asked:
    """A question about series of made runs."""
    series = [row_of(made_record(model=model), "made", 1, 1).series for model in models]
    members = tuple(Member(label=model, series=one) for model, one in zip(models, series, strict=True))
    return Asked(name=" - ".join(models), task="digits", scale="mini", members=members, bars=(bar,))


def decision(*comparisons: Asked, margin: float = 0.0, most: int = 20) -> Decision:
    return Decision(
        sweep="mine",
        began="2026-11-29T00:00:00+00:00",
        level=0.05,
        prior=8.0,
        margin=margin,
        first=3,
        most=most,
        comparisons=comparisons or (asked("nac", "vit"),),
    )


def store_of(place: Path, *models: str) -> Path:
    """A store with a run of each model, where ``nac`` and ``vit`` are given seeds until it is decided."""
    for model in models:
        write_run(place, made_record(model=model))
    begin(place, decision())
    return place


def adaptive(*stores: Path) -> dict[str, int]:
    return {run.model: run.adaptive for run in read_runs(*stores).runs}


def test_runs_of_its_series_are_marked_and_no_others(tmp_path: Path) -> None:
    store = store_of(tmp_path / "runs", "nac", "vit", "transformer")
    expected = {"nac": 3, "vit": 3, "transformer": 0}
    assert adaptive(store) == expected
    assert adaptive(store) == expected  # now from the cached index


def test_the_series_that_train_its_networks_are_marked_too(tmp_path: Path) -> None:
    """They get a seed whenever the series that is asked about gets one."""
    begin(tmp_path, decision())

    def row(run_id: str, trained_on: str = "", **record: str) -> Run:
        made = row_of(made_record(**record), f"{tmp_path}/{record['task']}/{record['model']}/{run_id}", 1, 1)
        return made._replace(run_id=run_id, trained_on=trained_on)

    networks = [row(f"{model}-network", task="omniglot", model=model) for model in ("nac", "transformer")]
    asked_about, other = row("a", "nac-network", task="digits", model="nac"), row("b", task="cifar10", model="nac")
    scored = row("c", "transformer-network", task="digits", model="transformer")
    found = marked([*networks, asked_about, other, scored])
    assert [run.run_id for run in found if run.adaptive] == ["nac-network", "a"]


def test_a_part_of_a_store_and_a_folder_of_stores_are_marked_too(tmp_path: Path) -> None:
    store = store_of(tmp_path / "all" / "runs", "nac", "vit")
    assert adaptive(store / "digits" / "nac") == {"nac": 3}
    assert adaptive(tmp_path / "all") == {"nac": 3, "vit": 3}


def test_runs_of_another_store_are_marked_beside_it(tmp_path: Path) -> None:
    store = store_of(tmp_path / "a", "nac")
    write_run(tmp_path / "b", made_record(model="vit"))
    assert adaptive(tmp_path / "b") == {"vit": 0}
    assert adaptive(store, tmp_path / "b") == {"nac": 3, "vit": 3}  # one series may come from both


def test_it_goes_with_the_runs_by_merge_and_by_archive(tmp_path: Path) -> None:
    store = store_of(tmp_path / "runs", "nac", "vit")
    merge([store], tmp_path / "merged")
    merge([store], tmp_path / "merged")
    pack([store], tmp_path / "runs.tar.gz")
    unpack_into(tmp_path / "runs.tar.gz", tmp_path / "unpacked", unpack)
    for copy in (tmp_path / "merged", tmp_path / "unpacked"):
        assert adaptive(copy) == {"nac": 3, "vit": 3}
        assert read_decisions(copy) == [decision()]


def test_a_margin_is_fixed_before_the_first_look(tmp_path: Path) -> None:
    begin(tmp_path, decision(margin=0.5))
    for other in (decision(), decision(asked("vit", "nac"), asked("nac", "transformer"), margin=1.0)):
        with pytest.raises(UserError, match=r"with a margin of 0.5 .* give --margin 0.5"):
            begin(tmp_path, other)
    begin(tmp_path, decision(asked("nac", "transformer"), margin=1.0))
    assert [known.margin for known in read_decisions(tmp_path)] in ([0.5, 1.0], [1.0, 0.5])


def test_more_seeds_later_are_the_same_decision(tmp_path: Path) -> None:
    begin(tmp_path, decision())
    later = decision(most=40).model_copy(update={"began": "2026-12-01T00:00:00+00:00"})
    again = begin(tmp_path, later)
    assert (again.most, again.began) == (40, decision().began)
    assert begin(tmp_path, decision(most=5)).most == 40
    assert len(read_decisions(tmp_path)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"margin": -1}, "margin = -1"),
        ({"level": 2}, "level = 2"),
        ({"more": 1}, "more = 1"),
        ({"rule": "t test"}, "rule = 't test'"),
        ({"claims": [{"name": "x", "task": "t", "scale": "s", "members": [], "bars": [0]}]}, "members"),
        ({"comparisons": []}, "asks what"),
    ],
)
def test_a_broken_file_is_refused_as_nobody_knows_what_it_said(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    store = store_of(tmp_path / "runs", "nac")
    (path,) = (store / DECISIONS).iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=message) as caught:
        read_runs(store)
    assert str(path) in str(caught.value)
