"""Today's working tree against a committed revision: steps, published size, memory, a whole run, and the same numbers.

Two processes for each row, one of each revision with the same interpreter and libraries, make training steps in turns;
every step is one that the revision's own ``nacbench run`` makes. A ratio is the median over rounds of today's CPU time
over the revision's in the same round, one thread each.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from common import Row
from contest import Contender, Job, NotMeasuredError, Ratio, Series, Side, contenders, in_turns, medians

# task, model, and the share of the revision's time that is the goal
STEPS = (
    ("cifar10", "nac", 0.6),
    ("cifar10", "perceiver-io", 1.0),
    ("cifar10", "transformer", 1.0),
    ("cifar10", "vit", 1.0),
    ("listops-short", "nac", 0.6),
    ("listops-short", "perceiver-io", 1.0),
    ("parametric-shapes", "nac", 0.65),
    ("parametric-shapes", "perceiver-io", 1.0),
    ("parametric-shapes", "pointnet", 1.0),
)
PLAIN = (("cifar10", "nac", 0.85), ("listops-short", "nac", 0.85), ("parametric-shapes", "nac", 0.8))  # without kernels
COMPILED = tuple(case for case in STEPS if case[1] == "nac")
SUITE = "cifar10"
COUNTED = 10  # steps whose loss is compared
WARM_UP = 2


@dataclass
class Comparison:
    """What all rows need.

    Attributes:
        then: the revision.
        now: the working tree.
        data_root: mirror of data sets.
        device: ``cpu`` or ``cuda``.
        budget: seconds of each alternation.
        scale: of the runs.
        warm_up: steps that do not count.
        steps: times of a step by task and model, as `in_turns` returns them.
    """

    then: Side
    now: Side
    data_root: Path
    device: str
    budget: float
    scale: str = "mini"
    warm_up: int = WARM_UP
    steps: dict[tuple[str, str], list[Series]] = field(default_factory=dict)

    def words(self, task: str, model: str, precision: str = "bf16", *more: str) -> tuple[str, ...]:
        """Return the words of a run that trains for ever and evaluates never."""
        settings = {"training.epochs": 10_000, "training.evaluate_every": 10_000}
        return (
            *("run", "--task", task, "--model", model, "--scale", self.scale, "--seed", "0", "--precision", precision),
            *("--device", self.device, "--workers", "0", "--data-root", str(self.data_root), "--quiet"),
            *(word for key, value in settings.items() for word in ("--set", f"{key}={value}")),
            *(more or ("--checkpoint-seconds", "1000000")),
        )

    def both(self, job: Job) -> list[tuple[Side, Job]]:
        """Return a job for both sides."""
        return [(self.then, job), (self.now, job)]

    def published(self, model: str, precision: str, **more: Any) -> Job:
        """Return a job on the published size, inside of a small run."""
        words = self.words(
            "digits", model, precision, "--checkpoint-seconds", "1000000", "--set", "training.batch_size=8"
        )
        return Job(words=words, model=model, precision=precision, published=True, **more)


def step(task: str, model: str, goal: float, made: Comparison) -> Iterator[Row]:
    """Compare the training step of a model on a task."""
    job = Job(words=made.words(task, model), model=model, precision="bf16")
    then, now = made.steps[task, model] = in_turns(made.both(job), made.budget, made.warm_up)
    yield _of_steps(f"{task}, {model}, {made.scale}, bf16", goal, then, now)


def step_with(
    options: tuple[str, ...], said: str, task: str, model: str, goal: float, made: Comparison
) -> Iterator[Row]:
    """Compare the training step with other options in the working tree, as ``said`` in the row."""
    words = made.words(task, model)
    jobs = (Job(words=(*words, *more), model=model, precision="bf16") for more in ((), options))
    then, now = in_turns(list(zip((made.then, made.now), jobs, strict=True)), made.budget, made.warm_up)
    yield _of_steps(f"{task}, {model}, {made.scale}, bf16, {said}", goal, then, now)


def _of_steps(what: str, goal: float, then: Series, now: Series) -> Row:
    ratio = Ratio.of(now, then)
    note = f"{medians(then, now)}; {ratio.spread}"
    return Row(what=f"training step, {what}: time of then", reached=ratio.value, goal=goal, note=note)


def suite(made: Comparison) -> Iterator[Row]:
    """Sum the steps of all models on one task, as measured before."""
    found = {model: times for (task, model), times in made.steps.items() if task == SUITE}
    if len(found) > 1:
        then, now = (sum(median(times[side].seconds) for times in found.values()) for side in (0, 1))
        yield Row(
            what=f"training steps, {SUITE}, {made.scale}, bf16, {len(found)} models summed: time of then",
            reached=now / then,
            goal=0.8,
            note=f"{1e3 * then:,.1f} ms then, {1e3 * now:,.1f} now: {', '.join(found)}",
        )


def nac_over_perceiver(what: str, precision: str, goal: float, made: Comparison, batch: int = 0) -> Iterator[Row]:
    """Compare NAC with Perceiver IO of the same widths at the published size, in both revisions."""
    jobs = [
        (side, made.published(model, precision, batch=batch))
        for side in (made.then, made.now)
        for model in ("nac", "perceiver-io")
    ]
    nac_then, perceiver_then, nac_now, perceiver_now = in_turns(jobs, made.budget, made.warm_up)
    ratio, before = Ratio.of(nac_now, perceiver_now), Ratio.of(nac_then, perceiver_then)
    yield Row(
        what=f"{what}, published size, {precision}: NAC over Perceiver IO",
        reached=ratio.value,
        goal=goal,
        note=f"{ratio.spread}; then {before.value:.2f}, {before.spread}",
    )
    for name, then, now in (("NAC", nac_then, nac_now), ("Perceiver IO", perceiver_then, perceiver_now)):
        change = Ratio.of(now, then)
        yield Row(
            what=f"{what}, published size, {precision}, {name}: time of then",
            reached=change.value,
            goal=1.0,
            note=f"{medians(then, now)}; {change.spread}",
        )


def peak_memory(made: Comparison) -> Iterator[Row]:
    """Compare the peak of memory of NAC's training at the published size: weights, moments, averages and a step."""
    job = made.published("nac", "bf16", measure="memory")
    with contenders(made.both(job)) as started:
        then, now = (one.turn(5) for one in started)
    yield Row(
        what="training, published size, bf16, NAC: peak of memory of then",
        reached=now / then,
        goal=0.8,
        note=f"{then / 1e6:,.0f} MB then, {now / 1e6:,.0f} now: weights, moments, averages, five steps of 8 examples",
    )


def besides_steps(made: Comparison) -> Iterator[Row]:
    """Compare the share of a whole run of digits that is no training step: start, evaluation, checkpoints, the rest."""
    rounds = max(1, round(made.budget / 120))
    for side in (made.then, made.now):  # what is built once per machine counts in no run
        _share(side, replace(made, scale="smoke"))
    shares: dict[str, list[float]] = {"then": [], "now": []}
    for number in range(rounds):
        for side in (made.then, made.now) if number % 2 == 0 else (made.now, made.then):
            shares[side.name].append(_share(side, made))
    yield Row(
        what=f"digits, nac, {made.scale}: share of a whole run that is no training step",
        reached=median(shares["now"]),
        goal=3.0,
        unit="%",
        note=f"{median(shares['then']):.3g} % then; of the record's seconds, median of {rounds} for each",
    )


def _share(side: Side, made: Comparison) -> float:
    out = side.scratch / f"whole-{time.monotonic_ns()}"
    words = ["run", "--task", "digits", "--model", "nac", "--scale", made.scale, "--device", made.device, "--out", out]
    done = subprocess.run(
        [sys.executable, "-m", "nacbench", *map(str, words), "--quiet"],
        env=side.environment(),
        cwd=side.scratch,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NotMeasuredError((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
    (record,) = out.rglob("record.json")
    cost = json.loads(record.read_text())["cost"]
    return 100 * float(1 - cost["train_seconds"] / cost["total_seconds"])


# -- the same numbers --------------------------------------------------------------------------------------------------


def same_numbers(task: str, model: str, made: Comparison) -> Iterator[Row]:
    """Compare the error of bf16's gradient, and the loss of the first steps; neither should be worse than then."""
    errors, losses = {}, {}
    for side in (made.then, made.now):
        found = {kind: _first_steps(side, task, model, kind, made) for kind in ("fp32", "bf16")}
        errors[side.name] = _distance(found["bf16"][0], found["fp32"][0])
        losses[side.name] = found["bf16"][1]
    yield Row(
        what=f"gradient, {task}, {model}, {made.scale}: error of bf16 of then",
        reached=errors["now"] / errors["then"],
        goal=1.05,
        note=f"{errors['then']:.2e} then, {errors['now']:.2e} now, of its norm; mean loss of the first {COUNTED} steps "
        f"{losses['then']:.6f} then, {losses['now']:.6f} now",
    )


def _first_steps(side: Side, task: str, model: str, precision: str, made: Comparison) -> tuple[Any, float]:
    """Return the gradient of the first step, and the mean loss of the first ten, from the run's own checkpoints.

    The first moment of AdamW after one step is (1 − β₁) times the gradient, if that was not clipped.
    """
    words = made.words(task, model, precision, "--checkpoint-seconds", "0", "--set", "training.clip_norm=0")
    with contenders([(side, Job(words=words, model=model, precision=precision))]) as (one,):
        one.turn(1)
        gradient = _moments(_checkpoint(one))
        one.turn(COUNTED - 1)
        status = _meta(_checkpoint(one))["status"]
    return gradient, status["loss_sum"] / status["loss_count"]


def _checkpoint(one: Contender) -> Path:
    (found,) = one.out.rglob("last.safetensors")
    return found


def _moments(checkpoint: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    tensors = {name: tensor.double() for name, tensor in load_file(checkpoint).items() if name.endswith("/exp_avg")}
    if not tensors:
        raise NotMeasuredError(f"{checkpoint.name} holds no moments of AdamW")
    return tensors


def _meta(checkpoint: Path) -> Any:
    from safetensors import safe_open

    with safe_open(checkpoint, framework="pt") as file:
        return json.loads(file.metadata()["nacbench"])


def _distance(one: dict[str, Any], reference: dict[str, Any]) -> float:
    """Return |one − reference| / |reference| over all tensors."""
    apart = sum(float((one[name] - tensor).square().sum()) for name, tensor in reference.items())
    return math.sqrt(apart / sum(float(tensor.square().sum()) for tensor in reference.values()))


# -- all of it ---------------------------------------------------------------------------------------------------------

Measure = Callable[[Comparison], Iterator[Row]]
PARTS: dict[str, list[Measure]] = {
    "steps": [*(partial(step, *case) for case in STEPS), suite],
    "plain": [partial(step_with, ("--kernels", "torch"), "PyTorch's kernels", *case) for case in PLAIN],
    "compiled": [partial(step_with, ("--compile", "on"), "compiled", *case) for case in COMPILED],
    "published": [
        partial(nac_over_perceiver, "training step", "bf16", 1.1),
        partial(nac_over_perceiver, "training step", "fp32", 1.1),
        partial(nac_over_perceiver, "inference, batch 8", "bf16", 1.05, batch=8),
        partial(nac_over_perceiver, "inference, batch 1", "bf16", 1.05, batch=1),
    ],
    "memory": [peak_memory],
    "run": [besides_steps],
    "numbers": [partial(same_numbers, task, model) for task, model, _ in STEPS],
}


def measured(made: Comparison, parts: Sequence[str], tell: Callable[[str], None]) -> Iterator[tuple[str, Row]]:
    """Measure parts in turn; yield each row with its part.

    What cannot be measured, as its data are missing or the revision has no such model, is told and left out.

    Args:
        made: what is compared.
        parts: keys of ``PARTS``.
        tell: called with a line on progress and remaining time, before each measurement.
    """
    todo = [(part, measure) for part in parts for measure in PARTS[part]]
    begun = time.monotonic()
    for number, (part, measure) in enumerate(todo):
        each = (time.monotonic() - begun) / number if number else made.budget + 20
        tell(f"[{number + 1}/{len(todo)}] {part}, about {math.ceil(each * (len(todo) - number) / 60)} min left")
        try:
            for row in measure(made):
                yield part, row
        except NotMeasuredError as error:
            tell(f"not measured: {error}")
