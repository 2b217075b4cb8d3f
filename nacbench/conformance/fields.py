"""What tasks and models must both keep: their fields are their whole configuration."""

import dataclasses

from nacbench.contracts.plugin import Plugin
from nacbench.errors import UserError


def check_fields(cls: type[Plugin], preset: str) -> None:
    """Raise an AssertionError if a plug-in's fields do not configure it wholly and strictly."""
    decorated = "__dataclass_fields__" in vars(cls)  # Python itself sees to it that it is frozen, as its base is
    assert decorated, "its fields do not count: write @dataclass(frozen=True, kw_only=True) above the class"
    for field in dataclasses.fields(cls):
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        assert has_default, f"field {field.name} has no default"
    cls()  # what is listed is the class with its defaults
    plugin = cls.configured("plugin", preset, {})
    again = cls.configured("plugin", preset, plugin.options())
    assert again == plugin, "its options() do not give the same plug-in again"
    try:
        cls.configured("plugin", preset, {"no_such_option": 1})
    except UserError:
        return
    raise AssertionError("an unknown option is not refused")
