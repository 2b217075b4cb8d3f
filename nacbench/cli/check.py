"""``nacbench check``: run the conformance checks on a plug-in."""

from typing import Annotated

import typer

from nacbench.cli.shared.completion import complete_plugin
from nacbench.cli.shared.options import DataRoot, Plugins, data_root_of, load_plugins
from nacbench.cli.shared.tables import counted
from nacbench.formats.terminal import say, say_text


def check(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete_plugin, help="A task or a model.")],
    data_root: DataRoot = None,
    plugin: Plugins = None,
) -> None:
    """Run the conformance checks on a task or a model: the same checks that built-in ones must pass."""
    from nacbench.conformance import check_plugin

    load_plugins(plugin)
    failed = 0
    traces: dict[str, str] = {}
    for result in check_plugin(name, data_root_of(data_root)):
        failed += result.problem is not None
        mark = "ok  " if result.problem is None else "FAIL"
        say(f"{mark}  {result.kind} {name}: {result.check}" + (f": {result.problem}" if result.problem else ""))
        if result.trace:
            traces.setdefault(result.problem or "", result.trace)  # one mistake can fail many checks
    for trace in traces.values():
        say_text(f"\n{trace}", err=True)
    if failed:
        say(f"{counted(failed, 'check')} failed", err=True)
        raise typer.Exit(1)
