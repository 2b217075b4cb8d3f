"""The loop in this process: what it computes, and that it can be stopped anywhere."""

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, _cur_sdpa_kernel_backends

from nacbench.conformance import ReferenceImages
from nacbench.contracts.metric import ACCURACY
from nacbench.contracts.recipe import BEST_TEST
from nacbench.contracts.spec import Batch
from nacbench.data.images.recipe import ImageAugment, ImageRecipe
from nacbench.errors import DivergedError, UserError
from nacbench.nn.network import build_network
from nacbench.registry import MODELS
from nacbench.training.checkpoint import load_tensors, save_tensors
from nacbench.training.execution import Execution, make_accelerator
from nacbench.training.interrupt import Interrupted, StopRequest
from nacbench.training.loop import Trainer
from nacbench.training.progress import Progress

RECIPE = ImageRecipe(
    epochs=3,
    batch_size=32,
    lr=2e-3,
    warmup_epochs=1,
    label_smoothing=0.1,
    ema=0.9,
    ema_warmup=True,
    selection="best-validation",
    augment=ImageAugment(crop_padding=2, flip=True, erasing=0.5, mixup=0.8, cutmix=1.0),
)


class StopAfter(StopRequest):
    """Asks to stop once it has been looked at so many times."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    @property
    def signal_number(self) -> int | None:  # type: ignore[override]
        self._left -= 1
        return signal.SIGTERM if self._left <= 0 else None


def trainer(
    folder: Path, recipe: ImageRecipe = RECIPE, options: Mapping[str, Any] = MappingProxyType({}), **changes: Any
) -> Trainer:
    """A trainer of the smallest NAC on made images."""
    task = ReferenceImages.configured("task", "smoke", {})
    live = task.build(folder, recipe)
    model = MODELS.get("nac").configured("model", "tiny", {"depth": 1, "modules": 6, **options})
    settings: dict[str, Any] = {
        "task": live,
        "net": build_network(task, live.spec, model, 0),
        "recipe": recipe,
        "seed": 0,
        "metric": ACCURACY,
        "folder": folder,
        "run_id": "abc",
        "accelerator": make_accelerator("cpu", "fp32"),
        "execution": Execution(show_progress=False, checkpoint_seconds=1e9),
        "stop": StopRequest(),
    }
    return Trainer(**{**settings, **changes})


def train(it: Trainer) -> dict[str, Tensor]:
    """Train to the end and give the weights that count."""
    return {k: v.clone() for k, v in it.train(quiet(it)).state_dict().items()}


def quiet(it: Trainer) -> Progress:
    return Progress("test", it.total_steps, it.folder / "log.txt", show=False)


def assert_same(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


@pytest.mark.parametrize(("precision", "written_out"), [("bf16", True), ("fp32", False)])
def test_math_attention_is_used_in_bf16_training_steps_only(tmp_path: Path, precision: str, written_out: bool) -> None:
    seen: dict[bool, set[bool]] = {True: set(), False: set()}
    it = trainer(tmp_path, accelerator=make_accelerator("cpu", precision))

    def look(net: nn.Module, *_: Any) -> None:
        seen[net.training].add(SDPBackend.FLASH_ATTENTION not in _cur_sdpa_kernel_backends())

    it.net.register_forward_pre_hook(look)
    it._stepper.average = None  # so that the very network is evaluated
    it.train(quiet(it))
    assert seen == {True: {written_out}, False: {False}}


@pytest.mark.parametrize("steps", [1, 4, 5, 9])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_resumed_run_ends_with_the_same_weights(tmp_path: Path, steps: int, precision: str) -> None:
    accelerator = make_accelerator("cpu", precision)
    whole = trainer(tmp_path / "whole", accelerator=accelerator)
    expected = train(whole)
    cut = trainer(tmp_path / "cut", stop=StopAfter(steps), accelerator=accelerator)
    with pytest.raises(Interrupted, match=f"SIGTERM at step {steps}"):
        cut.train(quiet(cut))
    resumed = trainer(tmp_path / "cut", accelerator=accelerator)
    assert_same(train(resumed), expected)
    assert (tmp_path / "cut" / "curve.jsonl").read_text() == (tmp_path / "whole" / "curve.jsonl").read_text()
    assert resumed.selection() == whole.selection()


def test_run_resumed_after_every_step_ends_with_the_same_weights(tmp_path: Path) -> None:
    expected = train(trainer(tmp_path / "whole"))
    while True:
        try:
            actual = train(trainer(tmp_path / "cut", stop=StopAfter(1)))
        except Interrupted:
            continue
        break
    assert_same(actual, expected)


def test_curve_rows_after_the_checkpoint_are_not_duplicated(tmp_path: Path) -> None:
    train(trainer(tmp_path / "whole"))
    cut = trainer(tmp_path / "cut", stop=StopAfter(7))
    with pytest.raises(Interrupted):
        cut.train(quiet(cut))
    with (tmp_path / "cut" / "curve.jsonl").open("a") as file:  # as a kill between two checkpoints leaves it
        file.write('{"step": 8, "epoch": 1.6, "split": "train", "loss": 9, "lr": 0}\n{"step": 9, "ep')
    train(trainer(tmp_path / "cut"))
    assert (tmp_path / "cut" / "curve.jsonl").read_text() == (tmp_path / "whole" / "curve.jsonl").read_text()


def test_number_of_workers_does_not_change_the_weights(tmp_path: Path) -> None:
    expected = train(trainer(tmp_path / "none"))
    execution = Execution(workers=2, show_progress=False, checkpoint_seconds=1e9)
    assert_same(train(trainer(tmp_path / "two", execution=execution)), expected)


class Linear(nn.Module):
    """A network without noise, for what must not depend on how a batch is cut."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.logits = nn.Linear(3 * 32 * 32, 10)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.logits(image.flatten(1))
        return logits


def test_accumulated_gradient_equals_the_whole_batch_s(tmp_path: Path) -> None:
    plain = RECIPE.model_copy(update={"ema": 0.0, "selection": "last"})
    weights = []
    for parts in (1, 4):
        recipe = plain.model_copy(update={"accumulate": parts})
        weights.append(train(trainer(tmp_path / str(parts), recipe, net=Linear())))
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-4, atol=1e-6)


def test_gradient_is_clipped_before_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    norms = []
    it = trainer(tmp_path, RECIPE.model_copy(update={"clip_norm": 0.01}))
    step = it._stepper.optimizer.step

    def spied() -> None:
        gradients = [p.grad for group in it._stepper.optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.stack([g.norm() for g in gradients if g is not None]).norm()))
        step()

    monkeypatch.setattr(it._stepper.optimizer, "step", spied)
    train(it)
    assert len(norms) == it.total_steps
    assert max(norms) == pytest.approx(0.01, rel=1e-3)


def test_best_validation_keeps_the_best_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.2, 0.9, 0.5])
    seen = []

    def scored(self: Trainer, net: nn.Module, split: str) -> dict[str, float]:
        assert split == "validation"
        seen.append({k: v.clone() for k, v in net.state_dict().items()})
        return {"accuracy": next(scores), "nll": 1.0}

    monkeypatch.setattr(Trainer, "evaluate", scored)
    it = trainer(tmp_path)
    assert_same(train(it), seen[1])
    assert it.selection() == {"rule": "best-validation", "step": 10, "averaged": True, "validation": 0.9}


def test_best_test_keeps_the_best_weights_on_the_test_split_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.2, 0.9, 0.5])
    seen = []

    def scored(self: Trainer, net: nn.Module, split: str) -> dict[str, float]:
        assert split == "test"
        seen.append({k: v.clone() for k, v in net.state_dict().items()})
        return {"accuracy": next(scores)}

    monkeypatch.setattr(Trainer, "evaluate", scored)
    it = trainer(tmp_path, RECIPE.model_copy(update={"selection": BEST_TEST}))
    assert_same(train(it), seen[1])
    assert it.selection() == {"rule": BEST_TEST, "step": 10, "averaged": True, "validation": None}
    log = (tmp_path / "log.txt").read_text()
    assert "the weights are chosen on the TEST images" in log
    assert "epoch 2/3: test accuracy 0.9000" in log


def test_best_test_without_test_examples_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = RECIPE.model_copy(update={"selection": BEST_TEST})
    live = trainer(tmp_path).task
    monkeypatch.setattr(live, "split_sizes", {"train": 8, "ood/fog": 8})
    with pytest.raises(UserError, match=r"training\.selection = 'best-test, as published' needs a test split"):
        trainer(tmp_path, recipe, task=live)


def test_the_average_is_kept_but_the_network_s_own_weights_are_scored(tmp_path: Path) -> None:
    it = trainer(tmp_path, RECIPE.model_copy(update={"selection": "last", "score_ema": False}))
    assert_same(train(it), it.net.state_dict())
    assert it.selection()["averaged"] is False
    tensors, _ = load_tensors(tmp_path / "checkpoint" / "last.safetensors")
    assert any(
        not torch.equal(tensors[f"average/module.{name}"], weight) for name, weight in it.net.state_dict().items()
    )


def test_selection_last_returns_the_last_weights(tmp_path: Path) -> None:
    it = trainer(tmp_path, RECIPE.model_copy(update={"selection": "last", "ema": 0.0}))
    assert_same(train(it), it.net.state_dict())
    assert it.selection() == {"rule": "last", "step": 15, "averaged": False, "validation": None}


def test_nan_loss_raises_diverged_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = trainer(tmp_path)
    monkeypatch.setattr(it.task, "loss", lambda net, batch: net(**batch.inputs).sum() * float("nan"))
    with pytest.raises(DivergedError, match=r"nan at step 1 of 15 \(learning rate .*\); try a smaller training\.lr"):
        train(it)


@pytest.mark.parametrize("spoil", ["cut", "noise", "flip", "stranger"])
@pytest.mark.parametrize("name", ["last", "best"])
def test_unusable_checkpoint_is_logged_and_set_aside(tmp_path: Path, name: str, spoil: str) -> None:
    expected = train(trainer(tmp_path / "undisturbed"))
    stopped = trainer(tmp_path, stop=StopAfter(12))
    with pytest.raises(Interrupted):
        train(stopped)
    path = tmp_path / "checkpoint" / f"{name}.safetensors"
    whole = path.read_bytes()
    if spoil == "stranger":
        tensors, meta = load_tensors(path)
        save_tensors(path, tensors, {**meta, "run_id": "xyz"})
    else:
        flipped = bytearray(whole)
        flipped[-5] ^= 1
        path.write_bytes({"cut": whole[:-7], "noise": b"not a checkpoint", "flip": bytes(flipped)}[spoil])
    assert_same(train(trainer(tmp_path)), expected)
    assert (tmp_path / "checkpoint" / f"{name}.safetensors.broken-1").exists()
    assert f"{name}.safetensors" in (tmp_path / "log.txt").read_text()


def test_batch_size_must_divide_into_micro_batches(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be split evenly"):
        trainer(tmp_path, RECIPE.model_copy(update={"accumulate": 5}))


def test_curve_has_losses_and_validation_scores(tmp_path: Path) -> None:
    train(trainer(tmp_path))
    rows = [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["split"] == "train"] == list(range(1, 16))
    assert [row["epoch"] for row in rows if row["split"] == "validation"] == [1, 2, 3]


def test_batch_part_cuts_into_equal_parts() -> None:
    batch = Batch({"x": torch.arange(6)}, torch.arange(6))
    assert [batch.part(i, 3).target.tolist() for i in range(3)] == [[0, 1], [2, 3], [4, 5]]
