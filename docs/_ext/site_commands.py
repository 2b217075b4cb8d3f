"""Reference of the command line, made from the application itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from site_markdown import code, escaped, table


def commands() -> str:
    """Every command with its arguments and options, as in ``--help``."""
    return "\n".join(_command_section(path, command) for path, command in walk())


def walk() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of commands with its path, in the order of the help."""
    from typer.main import get_command

    from nacbench.cli import app

    def inside(path: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
        if path:
            yield path, command
        for name, own in getattr(command, "commands", {}).items():
            yield from inside((*path, name), own)

    return inside((), get_command(app))


def _command_section(path: tuple[str, ...], command: Any) -> str:
    level = "#" * (1 + len(path))
    parts = [f"{level} nacbench {' '.join(path)}", "\n\n".join(escaped(_plain(p)) for p in _paragraphs(command.help))]
    if not hasattr(command, "commands"):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
        parts.append(f"```text\n{_usage(path, arguments, options)}\n```")
        rows = [[code(_argument(p)), escaped(_plain(p.help or ""))] for p in arguments]
        rows += [[code(_option(p)), escaped(_plain(p.help or "") + _given_default(p))] for p in options]
        if rows:
            parts.append(table(["argument or option", "what"], rows))
    return "\n\n".join(parts) + "\n"


def _paragraphs(text: str | None) -> Iterator[str]:
    yield from (text or "").split("\n\n")


def _plain(text: str) -> str:
    """Help without the marks for the terminal's style."""
    from rich.text import Text

    return Text.from_markup(" ".join(text.split())).plain


def _usage(path: tuple[str, ...], arguments: list[Any], options: list[Any]) -> str:
    needed = [_option(option) for option in options if option.required]
    words = [*needed, *(["[OPTIONS]"] if len(needed) < len(options) else []), *map(_argument, arguments)]
    return " ".join(["nacbench", *path, *words])


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required or name.startswith("[") else f"[{name}]"


def _option(parameter: Any) -> str:
    names = " / ".join([", ".join(parameter.opts), *parameter.secondary_opts])
    if parameter.is_flag:
        return names
    kind: Any = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    value = parameter.metavar or {int: "N", float: "X"}.get(kind) or parameter.opts[0].strip("-").upper()
    return f"{names} {value}"


def _given_default(parameter: Any) -> str:
    value = parameter.default
    return "" if parameter.is_flag or value is None or parameter.required else f" [default: {value}]"
