"""Check the class of a plug-in from outside where it is loaded, before anything is computed with it.

Otherwise Python or a library would say it later in words of their own, and some of it after the whole training.
"""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

from nacbench.contracts.plugin import Plugin
from nacbench.errors import shown, told

DECORATOR = "@dataclass(frozen=True, kw_only=True)"
# Beside its options, a record has these of a plug-in, in the same mapping
RESERVED = {"task": ("name",), "model": ("name", "size")}
_FOUND: dict[tuple[type[Plugin], str], str | None] = {}  # since a class is asked for again and again


def wrong_class(cls: type[Plugin], kind: str) -> str | None:
    """Return what is wrong with a plug-in's options, class variables or methods, in a few words, or None.

    Args:
        cls: its class.
        kind: ``task``, ``model`` or ``protocol``.
    """
    if (cls, kind) not in _FOUND:
        options = (_reserved_options(cls, kind), _without_default(cls), _not_options(cls), _wrong_types(cls))
        checks = (*options, _wrong_facts(cls), _methods(cls))
        _FOUND[cls, kind] = next((problem for check in checks for problem in check), None)
    return _FOUND[cls, kind]


def _reserved_options(cls: type[Plugin], kind: str) -> Iterator[str]:
    for name in RESERVED.get(kind, ()):
        if name in cls.option_names():
            yield f"has an option called {name}, which is what a record calls the {kind}'s own {name}; rename it"


def _without_default(cls: type[Plugin]) -> Iterator[str]:
    for field in dataclasses.fields(cls):
        if field.default is field.default_factory is dataclasses.MISSING:
            yield f"has an option {field.name} without a default, which lists of all plug-ins need"


def _not_options(cls: type[Plugin]) -> Iterator[str]:
    """Yield attributes that are meant as options and are none: a run would neither take nor record them."""
    seen = cls.__dataclass_fields__  # with class variables, which `dataclass` looked at, too
    meant = [name for preset in cls.presets.values() for name in preset if name not in cls.option_names()]
    for base in cls.__mro__:
        if issubclass(base, Plugin):
            own = inspect.get_annotations(base).items()
            meant += [n for n, type_ in own if n in vars(base) and n not in seen and "ClassVar" not in str(type_)]
    for name in meant:
        if hasattr(cls, name):
            yield (
                f"has {name}, which is no option: give it a type, as in {name}: int = 64, and write {DECORATOR} above "
                "the class"
            )


def _wrong_types(cls: type[Plugin]) -> Iterator[str]:
    """Yield that an option's type is one that pydantic cannot check."""
    from pydantic import TypeAdapter

    try:
        checker = TypeAdapter(cls)
        checker.rebuild(raise_errors=True)  # as a name that is imported for type checkers alone is noticed later
    except Exception as error:  # what is written in place of a type can raise anything
        reason = told(error).partition(". Set ")[0]
        yield f"has an option whose type cannot be checked ({reason}); options are numbers, text, lists and mappings"


def _wrong_facts(cls: type[Plugin]) -> Iterator[str]:
    """Yield class variables of another type than the nearest base class from nacbench declares."""
    looked_at: set[str] = set()
    for base in filter(_is_ours, cls.__mro__):
        for name, declared in inspect.get_annotations(base).items():
            if name in looked_at or name.startswith("_") or "ClassVar" not in str(declared):
                continue
            looked_at.add(name)
            value = inspect.getattr_static(cls, name, None)
            if not hasattr(cls, name) or hasattr(type(value), "__get__"):  # such as a property
                continue
            kind = _kind(declared, base)
            if kind is not None and not _fits(value, kind):
                text = str(declared).rpartition("ClassVar[")[2].removesuffix("]")
                needed = " or ".join(map(repr, get_args(kind))) if get_origin(kind) is Literal else text
                yield f"sets {name} = {shown(value)}, which should be {needed}"


def _kind(declared: Any, base: type) -> Any:
    """Return the type that a class declares for a class variable; None if it was imported for type checkers alone."""
    holder = type("", (), {"__annotations__": {"it": declared}, "__module__": base.__module__})
    try:
        (kind,) = get_args(get_type_hints(holder)["it"])
    except NameError:
        return None
    return kind


def _fits(value: Any, kind: Any) -> bool:
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

    plain = value.tolist() if hasattr(value, "tolist") else value  # of NumPy
    try:
        if isinstance(kind, type) and not get_args(kind):
            return isinstance(value, kind)
        TypeAdapter(kind, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(plain)
    except ValidationError:
        return False
    except (PydanticUserError, NameError, TypeError):  # nothing can tell, as of a typing.Protocol
        return True
    return True


def _methods(cls: type[Plugin]) -> Iterator[str]:
    """Yield methods that cannot be called as nacbench calls them."""
    for place, theirs in enumerate(cls.__mro__):
        if _is_ours(theirs) or not issubclass(theirs, Plugin):
            continue
        ours = list(filter(_is_ours, cls.__mro__[place:]))  # what it overrides; what a protocol derives from it is not
        for name, own in vars(theirs).items():
            base = next((vars(base)[name] for base in ours if name in vars(base)), None)
            if isinstance(base, classmethod) and inspect.isfunction(own):
                yield f"has a method {name}, which is called on the class: write @classmethod above it"
            if name.startswith("_") or not inspect.isfunction(base):
                continue
            expected = inspect.signature(base)
            if isinstance(own, property) or not (callable(own) or hasattr(own, "__get__")):
                yield f"has a {type(own).__name__} {name}, and should have a method {_call(name, expected)}"
            elif inspect.isfunction(own) and not _can_be_called(own, expected):
                signature = inspect.signature(own)
                yield f"has a method {_call(name, signature)}, and should have {_call(name, expected)}"


def _can_be_called(own: Any, expected: inspect.Signature) -> bool:
    some = [one for one in expected.parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
    try:
        inspect.signature(own).bind(*some)
    except TypeError:
        return False
    return True


def _call(name: str, signature: inspect.Signature) -> str:
    """Return a method as it is written, without types."""
    plain = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return f"{name}{signature.replace(parameters=plain, return_annotation=signature.empty)}"


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]
