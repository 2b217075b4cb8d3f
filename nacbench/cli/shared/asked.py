"""Argument and options that the commands of ``nacbench sweep`` share."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from nacbench.cli.shared.choice import OnlyModels, OnlyTasks
from nacbench.cli.shared.completion import complete_sweep
from nacbench.cli.shared.options import DataRoot, Plugins

RUNS = Path("runs")
DECIDING = "decide"
# It finds out how many seeds are needed, and its error rate is for all that it decides: not part after part
NOT_WHEN_DECIDING = {"seeds", "task", "model"}


@dataclass(frozen=True)
class Asked:
    """Argument and options that the sweep commands share; see `on_sweep`.

    Commands that are suggested to the user repeat them: with another folder or other data they mean another sweep.
    """

    sweep: Annotated[
        str, typer.Argument(metavar="SWEEP", autocompletion=complete_sweep, help="A YAML file or the name of a suite.")
    ]
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = RUNS
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="A profile's YAML file, local or debug.  [dim]\\[default: the sweep's][/dim]"
        ),
    ] = None
    data_root: DataRoot = None
    plugin: Plugins = None
    task: OnlyTasks = None
    model: OnlyModels = None
    max_runs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Go on if there are up to N runs.  [dim]\\[default: the file's, or 10,000][/dim]",
        ),
    ] = None

    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="SEEDS", help="Instead of the sweep's seeds: 0..19, or 0,2,5.  [dim]\\[default: the sweep's][/dim]"
        ),
    ] = None

    def command(self, verb: str) -> str:
        """Return the command line, quoted for a shell, of another command on the same sweep."""
        words = ["nacbench", "sweep", verb, self.sweep]
        if self.out != RUNS:
            words += ["--out", str(self.out)]
        if self.profile is not None:  # with GPUs, precision auto is bf16: other runs, whatever the command does to them
            words += ["--profile", self.profile]
        if self.data_root is not None:
            words += ["--data-root", str(self.data_root)]
        if self.max_runs is not None:
            words += ["--max-runs", str(self.max_runs)]
        if self.seeds is not None:
            words += ["--seeds", self.seeds]
        for option, given in (("--plugin", self.plugin), ("--task", self.task), ("--model", self.model)):
            for value in given or []:
                words += [option, str(value)]
        return shlex.join(words)


def on_sweep(verb: Callable[..., None]) -> Callable[..., None]:
    """Declare SWEEP and the shared options for a command, which gets all of them as one parameter ``asked``.

    SWEEP is the first argument; the options take the position of ``asked`` among the command's own parameters.
    """
    own = list(signature(verb).parameters.values())
    place = [parameter.name for parameter in own].index("asked")
    sweep, *options = signature(Asked).parameters.values()
    if verb.__name__ == DECIDING:
        options = [option for option in options if option.name not in NOT_WHEN_DECIDING]
    parameters = [sweep, *own[:place], *options, *own[place + 1 :]]

    @wraps(verb)
    def command(**given: Any) -> None:
        shared = {option.name: given.pop(option.name) for option in (sweep, *options)}
        verb(asked=Asked(**shared), **given)

    # typer reads the signature, not the code, to declare options
    command.__signature__ = Signature([p.replace(kind=p.KEYWORD_ONLY) for p in parameters])  # type: ignore[attr-defined]
    return command
