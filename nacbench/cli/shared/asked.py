"""Which sweep the user asks for: the argument and the options that the verbs of ``nacbench sweep`` share."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from nacbench.cli.shared.options import DataRoot, Plugins

RUNS = Path("runs")
LOOKING = ("status", "logs", "cancel")  # they start nothing, and take no --profile


@dataclass(frozen=True)
class Asked:
    """Which sweep the user means: the argument and the options that the verbs share; see `on_sweep`.

    Hints repeat them: in another folder, or on other data, it would be another sweep.
    """

    sweep: Annotated[str, typer.Argument(metavar="SWEEP", help="A YAML file, or a suite's name.")]
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs are kept.")] = RUNS
    profile: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="An executor's YAML, local or debug.  [dim]\\[default: the sweep's][/dim]"),
    ] = None
    data_root: DataRoot = None
    plugin: Plugins = None

    def command(self, verb: str) -> str:
        """The command line, for a shell, that carries out another verb on the same."""
        words = ["nacbench", "sweep", verb, self.sweep]
        if self.out != RUNS:
            words += ["--out", str(self.out)]
        if self.profile is not None and verb not in LOOKING:
            words += ["--profile", self.profile]
        if self.data_root is not None:
            words += ["--data-root", str(self.data_root)]
        for file in self.plugin or []:
            words += ["--plugin", str(file)]
        return shlex.join(words)


def on_sweep(verb: Callable[..., None]) -> Callable[..., None]:
    """Declare SWEEP and the shared options for a verb, which takes all of them as one parameter ``asked``.

    SWEEP comes first, the options where ``asked`` stands among the verb's own.
    """
    own = list(signature(verb).parameters.values())
    place = [parameter.name for parameter in own].index("asked")
    sweep, *options = signature(Asked).parameters.values()
    options = [option for option in options if option.name != "profile" or verb.__name__ not in LOOKING]
    parameters = [sweep, *own[:place], *options, *own[place + 1 :]]

    @wraps(verb)
    def command(**given: Any) -> None:
        shared = {option.name: given.pop(option.name) for option in (sweep, *options)}
        verb(asked=Asked(**shared), **given)

    # what typer reads instead of the verb's own
    command.__signature__ = Signature([p.replace(kind=p.KEYWORD_ONLY) for p in parameters])  # type: ignore[attr-defined]
    return command
