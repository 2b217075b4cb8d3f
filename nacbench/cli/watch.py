"""``nacbench watch``: a live page on runs, from their files alone."""

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nacbench.cli.shared.asked import RUNS, Asked
from nacbench.cli.shared.completion import complete_sweep
from nacbench.cli.shared.options import DataRoot, Plugins, load_plugins
from nacbench.cli.shared.planned import plan_of
from nacbench.cli.shared.tables import counted
from nacbench.errors import UserError
from nacbench.formats.terminal import say

if TYPE_CHECKING:
    from nacbench.watching.sources import Source
    from nacbench.watching.watcher import Watcher


def watch(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER|SWEEP",
            autocompletion=complete_sweep,
            help="A folder of runs, such as runs/ or one inside it; or a sweep, whose runs are kept in --out.",
        ),
    ] = str(RUNS),
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the runs of a sweep are kept.")] = RUNS,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Instead of serving the page, write it to this HTML file again and again.",
        ),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Instead of a page, show a table in this terminal.")] = False,
    every: Annotated[float, typer.Option(metavar="SECONDS", min=0.5, max=3600, help="Time between two looks.")] = 2.0,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    profile: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The profile that a sweep was submitted with, if it was given there."),
    ] = None,
    data_root: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """Show runs on a live page: states, curves, scores, and estimates of the time that is left. Ctrl-C ends it.

    It reads the runs' files and writes none, and needs no server where the runs are computed: it works on a login node,
    and on a laptop to which the folder is mounted. The page is served to this machine alone.
    """
    from nacbench.watching.text import show
    from nacbench.watching.watcher import Watcher

    if text and to:
        raise UserError("--text and --to exclude each other: the one is a table, the other a page")
    load_plugins(plugin)
    watcher = Watcher(_source(Asked(what, out=out, profile=profile, data_root=data_root, plugin=plugin)))
    say(f"looking at {watcher.source.title} …", err=True)  # the first look at thousands of runs takes some seconds
    try:
        watcher.look()
        if text:
            show(watcher, every)
        elif to:
            _write(watcher, to, every)
        else:
            _serve(watcher, every, port, browser=browser)
    except KeyboardInterrupt:
        say("ended; the runs go on")


def _source(asked: Asked) -> "Source":
    """Return the runs of a folder, or of a sweep, by whether it is the name of a suite or a YAML file.

    Raises:
        UserError: if there is no such folder or sweep; the usual folder of runs may still be missing.
    """
    from nacbench.sweep.read_sweep import suites
    from nacbench.watching.sources import FolderSource, SweepSource

    path = Path(asked.sweep)
    if path.is_dir() or path == RUNS:
        return FolderSource(path)
    if not (path.is_file() or asked.sweep in suites() or path.suffix in (".yaml", ".yml")):
        raise UserError(f"no folder {asked.sweep}, and no sweep of this name; name a folder of runs, or a sweep")
    planned, place = plan_of(asked)
    return SweepSource(planned, place.store)


def _serve(watcher: "Watcher", every: float, port: int, *, browser: bool) -> None:
    import webbrowser

    from nacbench.watching.server import Server

    with Server(watcher, every, port) as server:
        say(f"{_seen(watcher)}: {server.url} (Ctrl-C ends it)")
        if browser and _has_a_screen():
            webbrowser.open(server.url)
        server.serve_forever()


def _has_a_screen() -> bool:
    """Whether a browser could have a window; elsewhere a browser for terminals would take this one."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _write(watcher: "Watcher", to: Path, every: float) -> None:
    from nacbench.filesystem.files import write_text
    from nacbench.watching.page import copy_of

    write_text(to, copy_of(watcher, every))  # before it is promised: the place may be no file
    say(f"{_seen(watcher)}: {to}, written every {every:g} s (Ctrl-C ends it)")
    try:
        while True:
            time.sleep(every)
            watcher.look()
            write_text(to, copy_of(watcher, every))
    finally:
        write_text(to, copy_of(watcher, every, over=True))


def _seen(watcher: "Watcher") -> str:
    return f"{watcher.source.title}: {counted(watcher.count, 'run')}"
