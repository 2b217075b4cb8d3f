"""The setting ``compile``: whether ``torch.compile`` makes a run's steps."""

from typing import Literal

from nacbench.errors import UserError, shown

CompileChoice = Literal["auto", "on", "off"]
CHOICES: tuple[CompileChoice, ...] = ("auto", "on", "off")


def compile_choice(given: object) -> CompileChoice:
    """Return the setting, given as ``auto``, ``on`` or ``off``, or as true or false for the last two.

    Raises:
        UserError: if it is none of these.
    """
    if isinstance(given, bool):
        return "on" if given else "off"
    for choice in CHOICES:
        if given == choice:
            return choice
    raise UserError(f"compile = {shown(given)}: give auto, on or off")
