"""Options that choose among finished runs, for all commands that read many."""

from typing import Annotated

import typer

from nacbench.cli.shared.completion import complete_model, complete_task, complete_where

OnlyTasks = Annotated[
    list[str] | None,
    typer.Option(
        "--task",
        metavar="NAME",
        autocompletion=complete_task,
        help="Only runs of this task; NAME may be a pattern ('digits*'); can be given again.",
    ),
]
OnlyModels = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        metavar="NAME",
        autocompletion=complete_model,
        help="Only runs of this model; NAME may be a pattern; can be given again.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        autocompletion=complete_where,
        help="Only runs with this setting, as in training.lr=0.001,0.003 or 'model.depth>=3' (= != < <= > >=; ~ is "
        "contains), or with a tag or note: tag=good, note~words; runs whose model or task has no such setting stay; "
        "can be given again.",
    ),
]
