"""Networks that break: in a loss, by the last step, in a score or in a weight."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nacbench.errors import DivergedError
from nacbench.recording.read_record import read_failure

from .foreign import MODEL, assert_refused, forget, run


@pytest.fixture(autouse=True)
def only_these_files() -> Iterator[None]:
    yield
    forget()


LOGITS = "return self.logits(tokens.mean(1))"
WHILE_SCORED = "return self.logits(tokens.mean(1)) * (1 if self.training else float('{}'))"
HIDDEN = MODEL.replace("self.logits =", "self.register_buffer('unused', torch.zeros(1)); self.logits =").replace(
    LOGITS, f"self.unused.fill_(float('inf')); {LOGITS}"
)
BY_A_STEP = MODEL.replace(
    "spec.classes)", "spec.classes); self.logits.weight.register_hook(lambda gradient: gradient * float('inf'))"
)

BREAKS: dict[str, tuple[str, dict[str, Any], str]] = {
    "weights, by the last step, after the last loss": (
        BY_A_STEP,
        {"training.batch_size": 24, "training.clip_norm": 0.0},  # one step
        r"the network has diverged: its trained weights are not all finite",
    ),
    "weights, by an earlier step": (
        BY_A_STEP,
        {"training.clip_norm": 0.0},
        r"the network has diverged: the training loss is nan at step 2 of 3",
    ),
    "the loss": (
        MODEL.replace(LOGITS, f"{LOGITS} * float('nan')"),
        {},
        r"the network has diverged: the training loss is nan at step 1 of 3",
    ),
    "logits, in evaluation only": (
        MODEL.replace(LOGITS, WHILE_SCORED.format("nan")),
        {},
        r"the network has diverged: nll on test is nan; try a smaller training\.lr",
    ),
    "logits, that are infinite": (
        MODEL.replace(LOGITS, WHILE_SCORED.format("inf")),
        {},
        r"the network has diverged: nll on test is (nan|inf)",
    ),
    "logits, when the best weights are chosen": (
        MODEL.replace(LOGITS, WHILE_SCORED.format("nan")),
        {"training.selection": "best-validation", "task.validation_examples": 6},
        r"the network has diverged: nll on validation is nan",
    ),
    "a number that no loss shows": (HIDDEN, {}, r"the network has diverged: its trained weights are not all finite"),
    "the average of weights": (
        HIDDEN,
        {"training.ema": 0.9},
        r"the network has diverged: its trained weights are not all finite",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_divergence_is_called_divergence_whenever_it_happens(tmp_path: Path, what: str) -> None:
    model, settings, message = BREAKS[what]
    assert_refused(tmp_path, message, lambda: run(tmp_path, model=model, settings=settings), DivergedError)
    (path,) = tmp_path.rglob("failure.json")
    assert read_failure(path).cause == "diverged"
