"""Conformance check of a plug-in's fields: they are its complete configuration. Common to tasks and models."""

import dataclasses

from nacbench.contracts.plugin import Plugin
from nacbench.errors import UserError


def check_fields(cls: type[Plugin], preset: str) -> None:
    """Check that a plug-in is a dataclass with defaults, restored by its ``options()``, that refuses unknown options.

    Raises:
        AssertionError: if it is not.
    """
    decorated = "__dataclass_fields__" in vars(cls)  # Python itself enforces frozen=True, since the base is frozen
    assert decorated, "the class is not a dataclass; write @dataclass(frozen=True, kw_only=True) above it"
    for field in dataclasses.fields(cls):
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        assert has_default, f"field {field.name} has no default"
    cls()  # must work, since lists of plug-ins show them with defaults
    plugin = cls.configured("plugin", preset, {})
    again = cls.configured("plugin", preset, plugin.options())
    assert again == plugin, "configured() with its own options() gives a different plug-in"
    try:
        cls.configured("plugin", preset, {"no_such_option": 1})
    except UserError:
        return
    raise AssertionError("an unknown option is not refused")
