"""Sizes of the authors' release, and which of them a task has."""

from dataclasses import dataclass

import pytest
import torch

from nacbench.contracts.model import Model
from nacbench.profiling.sizing import parameters_of
from nacbench.registry import MODELS, TASKS, usual_size
from nacbench.running.resolve import resolve
from nacbench.sweep.read_sweep import read_sweep
from nacbench.training.optim import undecayed

RELEASED = {
    # U, C, H, m and R
    "paper": (320, 384, 6, 4, 64),
    "chonker": (640, 384, 8, 4, 64),
    "heckinchonker": (960, 512, 8, 3, 64),
    "heftychonk": (1120, 512, 8, 3, 64),
    "superchonker": (1280, 768, 12, 3, 128),
}


def circuit_parameters(u: int, c: int, h: int, m: int, r: int, *, token: int, classes: int) -> int:
    """The parameters of a circuit, counted by hand from its equations; S 64, D 64, L 8."""
    s = d = 64

    def modfc(inner: int, outer: int, *, bias: bool) -> int:
        return outer * inner + inner * c + 1 + outer * bias

    def ffn() -> int:
        return 2 * c + modfc(c, 2 * m * c, bias=True) + modfc(m * c, c, bias=True)

    circuit = u * c + u * (c + s) + r * (c + s)
    read_in = 2 * c + 2 * token + modfc(c, d, bias=False) + 2 * modfc(token, d, bias=False) + modfc(d, c, bias=True)
    propagator = 2 * c + 3 * modfc(c, h * d, bias=False) + modfc(h * d, c, bias=True)
    readout = 4 * c + 3 * modfc(c, d, bias=False) + modfc(d, c, bias=True)
    heads = (c + 1) + classes * (c + 1)
    return circuit + read_in + ffn() + 8 * (propagator + ffn()) + readout + ffn() + heads


def image_tokenizer_parameters(width: int, grid: int) -> int:
    """The parameters of the paper's tokenizer for colour images, counted by hand."""
    stem, block = width * 48 + width, width * 49 + width + 2 * width + 8 * width * width + 5 * width + width
    return stem + 2 * width + block + 2 * width + 2 * width * 4 * width + 2 * width + 64 * grid * grid


@pytest.mark.parametrize("size", RELEASED)
@pytest.mark.parametrize(("name", "grid"), [("tiny-imagenet", 8), ("imagenet", 28)])
def test_sizes_of_nac_are_those_of_the_release(name: str, grid: int, size: str) -> None:
    task = TASKS.training(name).configured("task", "paper", {})
    model = MODELS.get("nac").configured("model", size, {})
    options = model.options()
    keys = ("modules", "state_dim", "heads", "ffn_mult", "readout_modules")
    assert tuple(options[key] for key in keys) == RELEASED[size]
    by_hand = circuit_parameters(*RELEASED[size], token=256, classes=task.classes)
    assert parameters_of(model, task) == by_hand + image_tokenizer_parameters(96, grid)
    assert (options["depth"], options["signature_dim"], options["head_dim"], options["temperature"]) == (8, 64, 64, 0.5)
    assert options["prior"] == "scale-free"
    assert (options["initial_graph"] == "scale-free") == (size != "paper")  # Barabási–Albert on ImageNet alone


def test_perceiver_io_of_the_paper_is_as_large_as_the_authors() -> None:
    task = TASKS.training("tiny-imagenet").configured("task", "paper", {})
    published, matched = (MODELS.get("perceiver-io").configured("model", size, {}) for size in ("published", "matched"))
    nac = parameters_of(MODELS.get("nac").configured("model", "paper", {}), task)
    assert parameters_of(published, task) == 23_011_240
    assert parameters_of(matched, task) == 37_199_272 == pytest.approx(nac, rel=0.1)


@pytest.mark.parametrize("size", [size for size in RELEASED if size != "paper"])
def test_perceiver_io_beside_each_size_has_as_many_latents_as_it_has_modules(size: str) -> None:
    nac, perceiver = (MODELS.get(name).configured("model", size, {}).options() for name in ("nac", "perceiver-io"))
    assert perceiver["depth"] == 8
    for its, nacs in (("latents", "modules"), ("latent_dim", "state_dim"), ("heads", "heads")):
        assert perceiver[its] == nac[nacs], its


@pytest.mark.parametrize("size", ["published", "matched", "mini"])
def test_query_of_perceiver_io_is_decayed_where_the_authors_do(size: str) -> None:
    net = MODELS.get("perceiver-io").configured("model", size, {}).build(TASKS.training("digits")().spec())
    assert ("query" in undecayed(net)) == (size != "published")


# -- which size a task has ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Foreign(Model):
    """A model of a package that names no sizes."""

    title = "foreign"


@pytest.mark.parametrize(
    ("task", "model", "size"),
    [
        ("imagenet", "nac", "chonker"),
        ("imagenet-pruned", "nac", "chonker"),
        ("imagenet", "perceiver-io", "chonker"),
        ("imagenet", "vit", "paper"),
        ("tiny-imagenet", "nac", "paper"),
        ("tiny-imagenet", "perceiver-io", "published"),
        ("tiny-imagenet-r", "perceiver-io", "published"),
        ("listops", "transformer", "paper"),
    ],
)
def test_size_at_scale_paper_follows_from_the_task(task: str, model: str, size: str) -> None:
    assert usual_size(TASKS.get(task), "paper", MODELS.get(model)) == size
    assert usual_size(TASKS.get(task), "paper", Foreign) == "paper"
    assert usual_size(TASKS.get(task), "mini", MODELS.get(model)) == "mini"


def test_a_run_on_imagenet_has_the_published_size() -> None:
    config = resolve({"task": "imagenet", "model": "nac", "scale": "paper", "precision": "fp32"})
    assert (config.model.size, config.model.options["modules"], config.model.options["heads"]) == ("chonker", 640, 8)
    smaller = resolve({"task": "imagenet", "model": {"name": "nac", "size": "paper"}, "scale": "paper"})
    assert smaller.model.options["modules"] == 320


def test_the_suite_has_the_published_perceiver_io_and_the_matched_one_as_a_second_row() -> None:
    runs = read_sweep("paper-tiny-imagenet").expand()
    assert {config.model.size for config in runs if config.model.name == "perceiver-io"} == {"published", "matched"}


@pytest.mark.parametrize("pooling", ["softmax", "gumbel"])
def test_pooling_is_drawn_in_training_alone(pooling: str) -> None:
    torch.manual_seed(0)
    task = TASKS.training("digits")()
    net = MODELS.get("nac").configured("model", "tiny", {"pooling": pooling}).build(task.spec())
    readout, states = net.get_submodule("readout"), torch.randn(2, 4, 48)
    drawn, again = readout.train()(states), readout(states)
    assert torch.equal(drawn, again) == (pooling == "softmax")
    assert torch.equal(readout.eval()(states), readout(states))
