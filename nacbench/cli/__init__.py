"""Command line: one module for each command.

Commands import torch, pandas and matplotlib inside functions only, so that ``--help`` and shell completion are fast.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from types import TracebackType
from typing import Any

import typer
from typer.core import TyperGroup

from nacbench.cli import (
    check,
    circuit,
    compare,
    data,
    data_about,
    decide,
    doctor,
    export,
    lists,
    metrics,
    paper,
    profile,
    prune,
    repeat,
    report,
    run,
    runs,
    schema,
    search,
    show,
    sweep,
    tag,
    transfer,
    tune,
    watch,
    why,
)
from nacbench.cli.shared import refusals
from nacbench.cli.shared.loading import announce_loading
from nacbench.cli.shared.meant import suggest
from nacbench.formats.escape import visible
from nacbench.formats.terminal import say, say_text


class Commands(TyperGroup):
    """Commands whose usage errors say what was meant, and are escaped.

    They repeat words, which the shell may have made of file names.
    """

    def make_context(self, *args: Any, **more: Any) -> Any:
        with _escaped():
            return super().make_context(*args, **more)

    def invoke(self, ctx: Any) -> Any:
        with _escaped():
            return super().invoke(ctx)


@contextmanager
def _escaped() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        message = getattr(error, "message", None)  # only typer's own errors have one
        if isinstance(message, str):
            suggest(error)
            message = error.message  # type: ignore[attr-defined]
            error.message = visible(message, keep="\n\t")  # type: ignore[attr-defined]
        raise


app = typer.Typer(
    name="nacbench",
    cls=Commands,
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

        say(f"nacbench {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


app.command("run", cls=run.Command)(run.run)
app.command("runs")(runs.runs)
app.command("show")(show.show)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("metrics")(metrics.metrics)
app.command("circuit")(circuit.circuit)
app.command("prune")(prune.prune)
app.command("profile")(profile.profile)
app.command("tune")(tune.tune)
app.add_typer(paper.app, name="paper")
app.command("tag")(tag.tag)
app.command("claims")(paper.claims)
app.command("export")(export.export)
app.command("merge")(transfer.merge)
app.command("pack")(transfer.pack)
app.command("unpack")(transfer.unpack)
app.command("tasks")(lists.tasks)
app.command("models")(lists.models)
app.command("watch")(watch.watch)
app.command("why")(why.why)
app.command("repeat")(repeat.repeat)
app.command("check")(check.check)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(sweep.app, name="sweep")
data.app.command("croissant")(data_about.croissant)
data.app.command("card")(data_about.card)
sweep.app.command("decide", cls=decide.Command)(decide.decide)
sweep.app.command("search")(search.search)


def main() -> None:
    """Run the command line; print an error that the user can fix as one line on standard error and exit with code 2.

    This is the one place for errors of the file system, a lack of memory and whatever a plug-in raises, too, its
    ``exit()`` included, so that no command has to check before it writes or allocates.
    """
    _open_closed_streams()
    if isinstance(sys.stdout, TextIOWrapper):  # a character that the output cannot have is no reason to stop
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        refusals.check_words(sys.argv)
        announce_loading()
        code = app(standalone_mode=False)  # otherwise typer prints its own errors, in a box of several lines
    except BrokenPipeError:  # standard output was closed, as by `| head`
        sys.stderr.close()  # otherwise Python reports the failed flush of standard output at exit
        sys.exit(1)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plug-in can raise anything
        if type(error).__name__ == "NoArgsIsHelpError":  # a group of commands without a word: its help
            _show_help(error)
            sys.exit(2)
        reason = refusals.explained(error)
        if reason and isinstance(error, OSError) and (place := _line_of_plugin(error)):
            reason = f"{reason} ({place})"  # the plug-in chose this file, and not the user
        reason = reason or _raised_by_plugin(error)
        if not reason:
            raise
        with suppress(OSError):  # a full disk under standard error: the exit code still counts
            say(f"error: {reason}", err=True)
        sys.exit(2)
    else:
        sys.exit(code if isinstance(code, int) else 0)
    finally:
        sys.excepthook = _show_bug  # here, as typer sets its own when it starts


def _show_help(error: Any) -> None:
    from typer.rich_utils import rich_format_error

    rich_format_error(error)


def _open_closed_streams() -> None:
    """Discard what would go to standard streams that are closed, as under some job managers.

    Python has None for such a stream, and the next file that is opened would take its number, and get the text of
    libraries that write to it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 (until the process ends)


def _show_bug(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    """Print a traceback as Python would, but escaped: the message may have foreign text."""
    say_text("".join(traceback.format_exception(kind, error, place)).rstrip(), err=True)


def _raised_by_plugin(error: BaseException) -> str | None:
    """Return one line for an exception that passed through a plug-in's code; None for others, which may be our bugs."""
    if _line_of_plugin(error) is None:
        return None
    from nacbench.running.failures import in_one_line

    return f"{in_one_line(error)}; nacbench check NAME shows the traceback of a plug-in"


def _line_of_plugin(error: BaseException) -> str | None:
    if "nacbench.registry" not in sys.modules:  # nothing has been loaded, and --help must not wait for these imports
        return None
    from nacbench.plugin_files import plugin_line

    return plugin_line(error)
