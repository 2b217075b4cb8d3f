"""Base class of plug-ins: a frozen dataclass whose fields are its complete configuration, checked by pydantic."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from nacbench.errors import UserError, first_problem, shown, unknown

T = TypeVar("T")

_CHECKERS: dict[type, TypeAdapter[Any]] = {}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plugin:
    """Base class of tasks, models and protocols.

    A subclass is a frozen, keyword-only dataclass. Its fields are its options (``--set task.FIELD=…``,
    ``--set model.FIELD=…``), and each needs a default. Class variables describe it. Importing its module has no side
    effects and does not import torch or pandas, so that listing plug-ins is fast: import those where they are used.

    Attributes:
        presets: named sets of field values: for a task by scale (``smoke``, ``mini``, ``paper``), for a model by size.
        made_from: the plug-in class that a protocol derived this class from; its code counts for the run's id. None
            for plug-ins that are written as a class.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    made_from: ClassVar["type[Plugin] | None"] = None
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(allow_inf_nan=False)

    @classmethod
    def configured(cls, prefix: str, preset: str, options: Mapping[str, Any]) -> Self:
        """Return an instance with a preset's values, overridden by options, all validated.

        Args:
            prefix: ``task`` or ``model``, to name a field in an error as the user would set it.
            preset: a key of ``presets``; a name without a preset stands for no values.
            options: field values, which take precedence over the preset's.

        Raises:
            UserError: if a field does not exist, or a value has the wrong type or is out of range.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        for key in options:
            if key not in names:
                raise unknown(f"option of {prefix}", key, names)
        own = cls.presets.get(preset, {})
        for key in own:
            if key not in names:
                raise unknown(f"option of {prefix} in the preset {preset!r} of {cls.__name__}", key, names)
        values = {**own, **options}
        try:
            # As JSON, where strict types still take a list for a tuple: YAML has no tuples
            return _checker(cls).validate_json(json.dumps(values), strict=True)
        except ValidationError as error:
            raise UserError(first_problem(error, prefix)) from None
        except TypeError as error:  # from json
            raise UserError(f"{prefix}: options are numbers, text, lists and mappings: {error}") from None

    @classmethod
    def option_names(cls) -> list[str]:
        """Return the names of the options, in the order of the class."""
        return [field.name for field in dataclasses.fields(cls)]

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the options with their default values."""
        made = {field.name: field.default_factory for field in dataclasses.fields(cls)}
        plain = {field.name: field.default for field in dataclasses.fields(cls)}
        return {name: plain[name] if make is dataclasses.MISSING else make() for name, make in made.items()}

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
        if not (isinstance(cls.presets, Mapping) and all(isinstance(own, Mapping) for own in cls.presets.values())):
            return f"sets presets = {shown(cls.presets)}, which does not map names to values of options"
        return None

    def options(self) -> dict[str, Any]:
        """Return all fields with their values. With the plug-in's name, this is its complete configuration."""
        return dataclasses.asdict(self)


def _checker(cls: type[T]) -> TypeAdapter[T]:
    """Return the class's pydantic validator. It is cached, because building one takes milliseconds."""
    if cls not in _CHECKERS:
        _CHECKERS[cls] = TypeAdapter(cls)
    return _CHECKERS[cls]
