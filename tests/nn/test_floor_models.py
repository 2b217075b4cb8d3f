"""The models that are floors: the nearest class mean of raw pixels, and a linear layer on the mean token."""

from typing import Any

import pytest
import torch
from torch import Tensor

from nacbench.contracts.spec import Batch, TaskSpec
from nacbench.nn.network import Network, Raw
from nacbench.registry import MODELS

IMAGES = TaskSpec(modality="image", classes=3, max_tokens=4, token_dim=5, image_shape=(2, 3, 3))


def core(name: str, spec: TaskSpec = IMAGES) -> Any:
    torch.manual_seed(0)
    return MODELS.get(name).configured("model", "tiny", {}).build(spec)


def slow_nearest(images: Tensor, support: Tensor, labels: Tensor) -> list[int]:
    """The class whose mean image is nearest, by loops in float64."""
    found = []
    for image in images.double():
        distances = [float(((image - support[labels == k].double().mean(0)) ** 2).sum()) for k in range(3)]
        found.append(distances.index(min(distances)))
    return found


@pytest.mark.parametrize("autocast", [False, True])
def test_the_nearest_mean_is_that_of_all_batches(autocast: bool) -> None:
    support, labels, images = torch.randn(40, 2, 3, 3), torch.arange(40) % 3, torch.randn(50, 2, 3, 3)
    net = Network(Raw("image"), core("floor-nearest-mean"))
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        for part, own in zip(support.split(7), labels.split(7), strict=True):
            net.learn(Batch({"image": part}, own))
        assert net(image=images).argmax(1).tolist() == slow_nearest(images, support, labels)


def test_a_mixed_target_counts_by_its_shares() -> None:
    own = core("floor-nearest-mean")
    images = torch.stack([torch.zeros(2, 3, 3), torch.ones(2, 3, 3)])
    own.learn(images, None, torch.tensor([[0.75, 0.25, 0.0], [0.25, 0.0, 0.75]]))
    assert own.counts.tolist() == [1.0, 0.25, 0.75]
    assert own.sums[:, 0].tolist() == [0.25, 0.0, 0.75]


def test_the_linear_floor_reads_the_mean_of_what_is_no_padding() -> None:
    own = core("floor-linear", TaskSpec(modality="text", classes=3, max_tokens=4, token_dim=5))
    tokens = torch.randn(2, 4, 5)
    mask = torch.tensor([[True, True, False, False], [True, True, True, True]])
    hidden = torch.where(mask.unsqueeze(-1), tokens, float("nan"))
    expected = own.logits(torch.stack([tokens[0, :2].mean(0), tokens[1].mean(0)]))
    torch.testing.assert_close(own(hidden, mask), expected)
    torch.testing.assert_close(own(tokens), own.logits(tokens.mean(1)))


def test_the_nearest_mean_needs_an_image_and_no_sentence() -> None:
    model = MODELS.get("floor-nearest-mean").configured("model", "tiny", {})
    assert model.unsupported(IMAGES) is None
    assert model.unsupported(TaskSpec(modality="text", classes=3, max_tokens=4, token_dim=5)) == "it takes images only"
