"""``nacbench data croissant`` and ``nacbench data card``: what a task's data is, for programs and for readers."""

from pathlib import Path
from typing import Annotated

import typer

from nacbench.cli.data import OneTask, Settings
from nacbench.cli.shared.needs import options_in
from nacbench.cli.shared.options import DataRoot, Plugins, data_root_of, load_plugins
from nacbench.errors import UserError
from nacbench.formats.terminal import say, say_text

To = Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write it to this file, do not print it.")]
OfScale = Annotated[str, typer.Option("--scale", metavar="smoke|mini|paper", help="Whose options of the task count.")]


def croissant(
    task: OneTask,
    to: To = None,
    examples: Annotated[
        int,
        typer.Option(min=0, max=10**6, help="Also write the first N decoded examples of each split, beside the file."),
    ] = 0,
    scale: OfScale = "paper",
    data_root: DataRoot = None,
    settings: Settings = None,
    plugin: Plugins = None,
) -> None:
    """Describe a task's data as Croissant metadata (JSON-LD), which libraries and search engines of data sets read.

    Data that is not here is described as it is published. With --examples N, a Parquet file FILE-examples.parquet is
    written, too, and described.
    """
    from nacbench.filesystem.files import write_text
    from nacbench.publishing.croissant import croissant as make
    from nacbench.publishing.data_facts import facts_of
    from nacbench.publishing.examples import write_examples

    load_plugins(plugin)
    root = data_root_of(data_root)
    if examples and to is None:
        raise UserError("--examples writes a file beside the metadata: name that with --to FILE")
    facts = facts_of(task, scale, options_in(settings or []), root)
    if to is None:
        say_text(make(facts).rstrip())
        return
    if not examples:
        write_text(to, make(facts))
        say(str(to))
        return
    beside = to.with_name(f"{to.stem}-examples.parquet")
    columns = write_examples(facts, root, examples, beside)
    write_text(to, make(facts, beside, columns))
    say(str(to), str(beside))


def card(
    task: OneTask,
    to: To = None,
    scale: OfScale = "paper",
    data_root: DataRoot = None,
    settings: Settings = None,
    plugin: Plugins = None,
) -> None:
    """Describe a task's data for readers, as Markdown: whose it is, terms, splits, classes, preparation, problems."""
    from nacbench.filesystem.files import write_text
    from nacbench.publishing.data_card import data_card
    from nacbench.publishing.data_facts import facts_of

    load_plugins(plugin)
    text = data_card(facts_of(task, scale, options_in(settings or []), data_root_of(data_root)))
    if to is None:
        say_text(text.rstrip())
        return
    write_text(to, text)
    say(str(to))
