"""What tasks, models and protocols have in common: a frozen dataclass whose fields are its whole configuration."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from nacbench.errors import UserError, shown, unknown

# kinds of options
Count = Annotated[int, Field(gt=0, strict=True)]
Limit = Annotated[int, Field(ge=0, strict=True)]  # 0: none

T = TypeVar("T")

_CHECKERS: dict[type, TypeAdapter[Any]] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plugin:
    """The base of tasks, models and protocols.

    A subclass is a frozen, keyword-only dataclass. Its fields are all that can be set about it
    (``--set task.FIELD=…``, ``--set model.FIELD=…``), and each needs a default. Its class variables are data about it.
    Importing its module does nothing, and imports neither torch nor pandas: those are imported where they are used.

    Attributes:
        presets: named sets of field values: for a task by scale (``smoke``, ``mini``, ``paper``), for a model by size.
        made_from: the plug-in that this one is made from by code of ours, whose code it computes with; mostly None.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    made_from: ClassVar["type[Plugin] | None"] = None
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    @classmethod
    def configured(cls, prefix: str, preset: str, options: Mapping[str, Any]) -> Self:
        """An instance with a preset's values and, over them, these options; all checked.

        Args:
            prefix: ``task`` or ``model``, to name a field in an error as the user would set it.
            preset: a key of ``presets``, or any name where the plug-in has none.
            options: field values, which win over the preset's.

        Raises:
            UserError: on a field that does not exist, or a value of the wrong type or outside its range.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        for key in options:
            if key not in names:
                raise unknown(f"option of {prefix}", key, names)
        values = {**cls.presets.get(preset, {}), **options}
        try:
            return _checker(cls).validate_python(values)
        except ValidationError as error:
            raise UserError(first_problem(error, prefix)) from None

    @classmethod
    def wrong_fact(cls) -> str | None:
        """Return what is wrong with the class variables that its bases declare, in a few words, or None.

        Each must be set, and one that is declared as text, a number or true or false must be that.
        """
        fields = {field.name for field in dataclasses.fields(cls)}
        # of a dataclass, Python keeps the class variables among the fields and does not list them there
        for name, declared in cls.__dataclass_fields__.items():
            if name in fields:
                continue
            if not hasattr(cls, name):
                return f"does not set {name}"
            value = getattr(cls, name)
            for kind in (str, int, bool):
                if str(declared.type).endswith(f"ClassVar[{kind.__name__}]") and not isinstance(value, kind):
                    return f"sets {name} = {shown(value)}, which is no {kind.__name__}"
        return None

    def options(self) -> dict[str, Any]:
        """All fields with their values: with the class's name, the whole configuration."""
        return dataclasses.asdict(self)


def _checker(cls: type[T]) -> TypeAdapter[T]:
    """Made once for each class, as it takes milliseconds."""
    if cls not in _CHECKERS:
        _CHECKERS[cls] = TypeAdapter(cls)
    return _CHECKERS[cls]


def first_problem(error: ValidationError, prefix: str) -> str:
    """One line for the first thing that pydantic found wrong: the key, the value, and what would be right."""
    problem = error.errors(include_url=False)[0]
    key = ".".join([prefix, *(str(part) for part in problem["loc"])]).strip(".")
    message = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return message if message.startswith(prefix) else f"{prefix}: {message}"
    message = f"{message[0].lower()}{message[1:]}"
    if problem["type"] == "missing":  # its input is not a value, but all that the key is missing in
        return f"{key}: {message}"
    if problem["type"] == "too_short":
        message = f"has {problem['ctx']['actual_length'] or 'no'} values; give at least {problem['ctx']['min_length']}"
    return f"{key} = {shown(problem['input'])}: {message}"
