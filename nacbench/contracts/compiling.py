"""The setting ``compile``: whether ``torch.compile`` makes a run's steps."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from nacbench.errors import UserError, shown

CompileChoice = Literal["auto", "on", "off"]
CHOICES: tuple[CompileChoice, ...] = ("auto", "on", "off")


def _word(given: object) -> object:
    """Return yes and no, which YAML makes of on and off, as words."""
    return ("on" if given else "off") if isinstance(given, bool) else given


CompileSetting = Annotated[CompileChoice, BeforeValidator(_word)]


def compile_choice(given: object) -> CompileChoice:
    """Return the setting, given as ``auto``, ``on`` or ``off``, or as true or false for the last two.

    Raises:
        UserError: if it is none of these.
    """
    for choice in CHOICES:
        if _word(given) == choice:
            return choice
    raise UserError(f"compile = {shown(given)}: give auto, on or off")
