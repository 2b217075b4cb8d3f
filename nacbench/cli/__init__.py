"""The command line: one module a verb. Nothing heavy is imported before a verb needs it, so that help comes at once."""

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
    help="Neural Attentive Circuits against strong baselines, across modalities, with numbers that can be traced.",
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
    """Run the command line; a user's mistake is one line on standard error and exit code 2.

    So is a place that cannot be written: every verb writes somewhere, and none needs to look first.
    """
    try:
        app()
    except UserError as error:
        _refuse(str(error))
    except BrokenPipeError:  # the reader of our output has gone
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        reason = refusals.explained(error)
        if reason is None:
            raise
        _refuse(reason)


def _refuse(reason: str) -> NoReturn:
    print(f"error: {reason}", file=sys.stderr)  # noqa: T201
    sys.exit(2)
