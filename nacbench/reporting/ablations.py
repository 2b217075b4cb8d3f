"""The rungs between Perceiver IO and NAC, and NAC without one part each: which series is which, and their differences.

The ladder is that of the authors' release (mweiss17/NeuralAttentiveCircuits, macros/models); "with codes" is a
step of our own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nacbench.errors import UserError
from nacbench.recording.row import Run
from nacbench.registry import MODELS
from nacbench.reporting.series import Series, by_cell
from nacbench.statistics import Difference

WHOLE = "NAC"
# No prior: it acts on signatures, which these do not have or keep as they are
COMPLETE: Mapping[str, Any] = {"graph": "complete", "prior": "none"}
FROZEN: Mapping[str, Any] = {"frozen": True, "prior": "none"}
CLUSTERED: Mapping[str, Any] = {"initial_graph": "planted-partition", "prior_outside": 0.01}
ONE_OUTPUT: Mapping[str, Any] = {"readout_modules": 1}
PLAIN: Mapping[str, Any] = {"modulated": False}


@dataclass(frozen=True)
class Rung:
    """A row of the ablations.

    Attributes:
        name: in tables and figures.
        before: name of the rung that it is one step from; None for the first one.
        options: of the model, where they differ from those of the size.
        model: its name.
        as_in_nac: options that have NAC's value at the size of the same name.
    """

    name: str
    before: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    model: str = "nac"
    as_in_nac: tuple[str, ...] = ()

    def is_of(self, run: Run) -> bool:
        """Return whether a run is of this rung: every option of its model counts.

        An older record does not name options that came later; they are the size's.
        """
        given = json.loads(run.settings).get("model")
        if run.model != self.model or not isinstance(given, dict):
            return False
        try:
            usual = MODELS.get(self.model).configured("model", run.model_size, {}).options()
            nac = MODELS.get("nac").configured("model", run.model_size, {}).options()
            changed = {**self.options, **{name: nac[name] for name in self.as_in_nac}}
            options = MODELS.get(self.model).configured("model", run.model_size, changed).options()
        except UserError:  # a plug-in of this name, or options that have changed since
            return False
        own = {"name": run.model, "size": run.model_size}
        return {**own, **usual, **given} == {**own, **options}


RUNGS = (
    Rung("Perceiver IO", None, model="perceiver-io", as_in_nac=("depth",)),
    Rung("NAC as Perceiver IO", "Perceiver IO", {**COMPLETE, **PLAIN, **ONE_OUTPUT}),
    Rung("with links", "NAC as Perceiver IO", {**PLAIN, **ONE_OUTPUT, **CLUSTERED}),
    Rung("with codes", "NAC as Perceiver IO", {**COMPLETE, **ONE_OUTPUT}),
    Rung("with links and codes", "with links", {**ONE_OUTPUT, **CLUSTERED}),
    Rung("NAC, one output", "with links and codes", ONE_OUTPUT),
    Rung(WHOLE, "NAC, one output"),
    Rung("without sampling", WHOLE, {"training_links": "expected"}),
    Rung("without codes", WHOLE, PLAIN),
    Rung("without signatures", WHOLE, COMPLETE),
    Rung("frozen circuit", WHOLE, FROZEN),
)


@dataclass(frozen=True)
class Ablated:
    """A rung's series on a task, and the series to compare it with.

    Attributes:
        rung: which one.
        item: its series.
        whole: NAC's series; None for NAC itself.
        before: series of the rung before; None if there is none.
    """

    rung: Rung
    item: Series
    whole: Series | None
    before: Series | None

    @property
    def from_whole(self) -> Difference | None:
        """Its score minus NAC's, paired by seed; None for NAC, and without a shared seed."""
        return self.item.against(self.whole) if self.whole else None

    @property
    def from_before(self) -> Difference | None:
        """Its score minus that of the rung before, likewise."""
        return self.item.against(self.before) if self.before else None


def ablations(series: Iterable[Series]) -> dict[tuple[str, str], list[Ablated]]:
    """Return the rungs of each task and scale that have NAC and another circuit, in the order of the ladder.

    Where several series are of one rung, it is shown if one alone has all settings in common with NAC's, those of the
    model aside. Nothing is shown of a task with several series of NAC, as none of them is the one to compare with.
    """
    found = {}
    for cell, items in by_cell(series).items():
        of_rungs = {rung.name: [item for item in items if rung.is_of(item.first)] for rung in RUNGS}
        if len(of_rungs[WHOLE]) != 1:
            continue
        whole = of_rungs[WHOLE][0]
        chosen = {name: item for name, own in of_rungs.items() if (item := _like(whole, own))}
        if sum(item.first.model == whole.first.model for item in chosen.values()) > 1:
            found[cell] = [_ablated(rung, chosen) for rung in RUNGS if rung.name in chosen]
    return found


def _like(whole: Series, own: Sequence[Series]) -> Series | None:
    """Return the only series, or the only one with the settings of the whole NAC outside the model."""
    like = list(own) if len(own) < 2 else [item for item in own if _elsewhere(item.first) == _elsewhere(whole.first)]
    return like[0] if len(like) == 1 else None


def _elsewhere(run: Run) -> dict[str, Any]:
    return {name: value for name, value in json.loads(run.settings).items() if name != "model"}


def _ablated(rung: Rung, chosen: Mapping[str, Series]) -> Ablated:
    whole = None if rung.name == WHOLE else chosen[WHOLE]
    return Ablated(rung, chosen[rung.name], whole, chosen.get(rung.before or ""))
