"""Point clouds in training and in scoring: which points are taken, what augmentation may do, and their tokens."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nacbench.data.live import Classification
from nacbench.data.points.augment import PointPreparation, augment, some_points
from nacbench.data.points.recipe import PointAugment
from nacbench.data.points.task import PointTask
from nacbench.data.points.tokenizer import PointTokenizer
from nacbench.errors import UserError
from nacbench.registry import TASKS


def clouds(count: int = 5, points: int = 40) -> Tensor:
    torch.manual_seed(0)
    return torch.randn(count, points, 3)


def test_points_are_sampled_without_replacement() -> None:
    given = clouds()
    taken = some_points(given, 25)
    assert taken.shape == (5, 25, 3)
    for cloud, own in zip(taken, given, strict=True):
        rows = {tuple(point) for point in cloud.tolist()}
        assert len(rows) == 25
        assert rows <= {tuple(point) for point in own.tolist()}


def test_points_are_sampled_uniformly() -> None:
    numbered = torch.arange(10.0).repeat_interleave(3).view(1, 10, 3).expand(4000, -1, -1)
    counts = some_points(numbered, 3)[..., 0].flatten().long().bincount(minlength=10)
    assert counts.min() > 1000  # 1200 expected, standard deviation 29
    assert counts.max() < 1400


def test_scoring_takes_the_first_points() -> None:
    preparation = PointPreparation(PointAugment(turn=1.0, jitter=0.1), 7)
    given = clouds()
    assert torch.equal(preparation.plain({"points": given}, 0)["points"], given[:, :7])


def test_default_settings_change_nothing() -> None:
    assert torch.equal(augment(clouds(), PointAugment()), clouds())


def test_turn_rotates_each_cloud_about_the_vertical_axis() -> None:
    given = clouds()
    turned = augment(given, PointAugment(turn=1.0))
    torch.testing.assert_close(turned[..., 2], given[..., 2])
    torch.testing.assert_close(turned[..., :2].norm(dim=-1), given[..., :2].norm(dim=-1))
    before, after = (torch.atan2(x[..., 1], x[..., 0]) for x in (given, turned))
    angles = (after - before).remainder(2 * math.pi)
    first = angles[:, :1]
    assert ((angles - first + math.pi).remainder(2 * math.pi) - math.pi).abs().max() < 1e-4  # one angle a cloud
    assert len({round(float(angle), 3) for angle in first.flatten()}) == 5


def test_turn_stays_within_its_limit() -> None:
    torch.manual_seed(3)
    given = torch.tensor([[[1.0, 0.0, 0.0]]]).expand(500, 1, 3)
    turned = augment(given, PointAugment(turn=0.25))
    angles = torch.atan2(turned[..., 1], turned[..., 0]).abs()
    assert 0.7 < float(angles.max()) <= math.pi / 4 + 1e-6


def test_scale_and_shift_per_cloud_and_axis_within_limits() -> None:
    given = clouds(200)
    scaled = augment(given, PointAugment(scale=0.3)) / given
    assert (scaled - scaled[:, :1]).abs().max() < 1e-3
    assert 0.7 - 1e-4 <= float(scaled.min()) < 0.72
    assert 1.28 < float(scaled.max()) <= 1.3 + 1e-4
    shifted = augment(given, PointAugment(shift=0.3)) - given
    assert (shifted - shifted[:, :1]).abs().max() < 1e-5
    assert 0.28 < float(shifted.abs().max()) <= 0.3 + 1e-5


def test_jitter_has_its_standard_deviation() -> None:
    noise = augment(clouds(100), PointAugment(jitter=0.02)) - clouds(100)
    assert float(noise.std()) == pytest.approx(0.02, rel=0.03)


def test_tokenizer_is_equivariant_to_permuting_points() -> None:
    tokenizer, given = PointTokenizer(bands=4, highest=16.0), clouds()
    tokens = tokenizer(given).tokens
    assert tokens.shape == (5, 40, 3 * 9)
    order = torch.randperm(40)
    torch.testing.assert_close(tokenizer(given[:, order]).tokens, tokens[:, order])


def test_points_must_not_exceed_the_stored_ones() -> None:
    with pytest.raises(UserError, match=r"task\.points = 5000: must be at most 1024, the stored points per shape"):
        TASKS.get("parametric-shapes").configured("task", "mini", {"points": 5000})


def test_visits_repeat_shapes_with_other_points() -> None:
    options = {"train_examples": 20, "test_examples": 10, "visits": 4}
    task = TASKS.get("parametric-shapes").configured("task", "smoke", options)
    assert isinstance(task, PointTask)
    recipe = task.recipes["smoke"].model_copy(update={"batch_size": 8})
    live = task.build(Path("nowhere"), recipe)
    assert isinstance(live, Classification)
    batches = live.train_batches(8, seed=0)
    assert len(batches) == 10
    labels = torch.cat([batches[step].target for step in range(10)])
    train = task.splits(task.arrays(Path("nowhere")).arrays)["train"]
    shown = torch.from_numpy(train.labels[train.indices]).long()
    assert labels.bincount(minlength=10).tolist() == (4 * shown.bincount(minlength=10)).tolist()
    assert len(labels.unique()) > 5
    first = torch.cat([batches[step].inputs["points"] for step in range(10)])
    assert len({tuple(cloud[0].tolist()) for cloud in first}) > 70
