"""Command line: one module for each command.

Commands import torch, pandas and matplotlib inside functions only, so that ``--help`` and shell completion are fast.
"""

import sys
from typing import NoReturn

import typer

from nacbench.cli import (
    check,
    circuit,
    compare,
    data,
    doctor,
    lists,
    paper,
    profile,
    prune,
    repeat,
    report,
    run,
    schema,
    sweep,
    transfer,
    tune,
    why,
)
from nacbench.cli.shared import refusals
from nacbench.errors import UserError

app = typer.Typer(
    name="nacbench",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Benchmark suite for Neural Attentive Circuits: train, score and compare models across modalities.",
    epilog="Start with: [bold]nacbench run --task digits --model nac --scale smoke[/bold]",
)


def _version(show: bool) -> None:
    if show:
        from nacbench import __version__

        typer.echo(f"nacbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


app.command("run")(run.run)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("circuit")(circuit.circuit)
app.command("prune")(prune.prune)
app.command("profile")(profile.profile)
app.command("tune")(tune.tune)
app.add_typer(paper.app, name="paper")
app.command("claims")(paper.claims)
app.command("merge")(transfer.merge)
app.command("pack")(transfer.pack)
app.command("unpack")(transfer.unpack)
app.command("tasks")(lists.tasks)
app.command("models")(lists.models)
app.command("why")(why.why)
app.command("repeat")(repeat.repeat)
app.command("check")(check.check)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(sweep.app, name="sweep")


def main() -> None:
    """Run the command line; print a `UserError` as one line on standard error and exit with code 2.

    Errors of the file system, such as a folder that is not writable, are treated in the same way here, once, so that
    no command has to check before it writes; and so is whatever a plug-in raises, its ``exit()`` included.
    """
    try:
        app()
    except UserError as error:
        _refuse(str(error))
    except BrokenPipeError:  # standard output was closed, as by `| head`
        sys.stderr.close()  # otherwise Python reports the failed flush of standard output at exit
        sys.exit(1)
    except (Exception, SystemExit) as error:
        reason = (isinstance(error, OSError) and refusals.explained(error)) or _raised_by_plugin(error)
        if not reason:
            raise
        _refuse(reason)


def _raised_by_plugin(error: BaseException) -> str | None:
    """Return one line for an exception that passed through a plug-in's code; None for others, which may be our bugs."""
    if "nacbench.registry" not in sys.modules:  # nothing has been loaded, and --help must not wait for these imports
        return None
    from nacbench.plugin_files import plugin_line
    from nacbench.running.failures import in_one_line

    return plugin_line(error) and f"{in_one_line(error)}; nacbench check NAME shows the traceback of a plug-in"


def _refuse(reason: str) -> NoReturn:
    print(f"error: {reason}", file=sys.stderr)  # noqa: T201
    sys.exit(2)
