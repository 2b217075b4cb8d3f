"""What was meant by an option or a command that does not exist, added to typer's error."""

from typing import Any

from nacbench.suggestions import nearest, question

UNKNOWN_COMMAND = "No such command"


def suggest(error: Any) -> None:
    """Add to an error of typer which option, setting or command may have been meant; other errors stay as they are."""
    if getattr(error, "ctx", None) is None:
        return
    known: list[str] = []
    if hasattr(error, "possibilities"):  # of an option that does not exist
        name = error.option_name
        error.possibilities = None  # typer's own, which go by letters only
        known = _options(error.ctx.command)
    elif error.message.startswith(UNKNOWN_COMMAND) and hasattr(error.ctx.command, "commands"):
        error.message = error.message.partition(". ")[0].rstrip(".")
        name = error.message.removeprefix(UNKNOWN_COMMAND).strip(" '")
        known = [own for own, command in error.ctx.command.commands.items() if not command.hidden]
    near = nearest(name, known) if known else []
    if near:
        error.message = f"{error.message.rstrip('.')}; {question(near)}"


def _options(command: Any) -> list[str]:
    """Return the options of a command, each with what it takes; and settings, if it takes these with ``--set``."""
    found = []
    for option in command.params:
        takes = "" if getattr(option, "is_flag", True) else f" {option.metavar or 'VALUE'}"
        found += [f"{name}{takes}" for name in (*option.opts, *option.secondary_opts) if name.startswith("--")]
    if any(own.startswith("--set ") for own in found):
        from nacbench.contracts.recipe import Recipe

        found += [f"--set training.{name}=…" for name in Recipe.model_fields]
    return found
