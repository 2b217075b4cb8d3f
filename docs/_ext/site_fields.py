"""Settings and records in words: the fields of pydantic's models, and of the record's JSON Schema."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from site_markdown import code, escaped, table

DOCS = Path(__file__).resolve().parents[1]
WORDS = {"integer": "integer", "number": "number", "boolean": "true or false", "string": "text", "null": "none"}


@dataclasses.dataclass(frozen=True)
class Described:
    """A field of a pydantic model in words; what its value may be, and its default, as Markdown."""

    name: str
    what: str
    value: str
    default: str


def described_fields(cls: Any) -> list[Described]:
    """The fields of a pydantic model."""
    schema = cls.model_json_schema()
    own = schema["$defs"][cls.__name__] if "$ref" in schema else schema  # one that contains itself
    properties = own.get("properties", {})
    values = {
        key: allowed(_resolved(properties.get(field.alias or key, {}))) for key, field in cls.model_fields.items()
    }
    return [
        Described(key, field.description or "", values[key], _default(field)) for key, field in cls.model_fields.items()
    ]


def fields(name: str) -> str:
    """The table of a pydantic model's fields; it is named with its module."""
    module, _, own = name.rpartition(".")
    described = described_fields(getattr(importlib.import_module(module), own))
    rows = [[code(row.name), escaped(row.what), escaped(row.value), row.default] for row in described]
    return table(["field", "what", "value", "default"], rows)


def _default(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    return "its own defaults" if hasattr(type(value), "model_fields") else code(shown(value))


def shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, list | tuple):
        return json.dumps(list(value)) if value else "[]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A property with references into the definitions replaced by their names."""
    if "$ref" in schema:
        return {"title": str(schema["$ref"]).rpartition("/")[2], "object": True}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_resolved(part) for part in schema["anyOf"]]}
    if "items" in schema:
        return {**schema, "items": _resolved(schema["items"])}
    return schema


def allowed(schema: Mapping[str, Any]) -> str:
    """In words, what JSON Schema says of a value."""
    if schema.get("object"):
        return str(schema["title"])
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(allowed(part) for part in schema["anyOf"]))
    kind = schema.get("type", "")
    if kind == "array":
        return f"list of {_plural(schema.get('items', {}))}"
    if kind == "object":
        return "mapping"
    return f"{WORDS.get(kind, 'any')}{_limits(schema)}"


def _plural(items: Mapping[str, Any]) -> str:
    word = allowed(items)
    kind, _, limits = word.partition(" ")
    return f"{kind}s{' ' + limits if limits else ''}" if items.get("type") in ("integer", "number") else word


def _limits(schema: Mapping[str, Any]) -> str:
    low = [("minimum", "≥"), ("exclusiveMinimum", ">")]
    high = [("maximum", "≤"), ("exclusiveMaximum", "<")]
    found = [f"{sign} {schema[key]:g}" for key, sign in (*low, *high) if key in schema]
    return f" {' and '.join(found)}" if found else ""


def record() -> str:
    """The tables of a record's schema, as it is committed: the whole first, then its parts."""
    schema = json.loads((DOCS / "record.schema.json").read_text(encoding="utf-8"))
    parts = [("RunRecord", schema), *schema["$defs"].items()]
    return "\n".join(_schema_section(name, part) for name, part in parts)


def _schema_section(name: str, part: Mapping[str, Any]) -> str:
    rows = []
    for key, own in part["properties"].items():
        needed = "required" if key in part.get("required", ()) else "optional"
        rows.append([code(key), escaped(_json_type(_resolved(own))), needed, escaped(own.get("description", ""))])
    about = escaped(part.get("description", ""))
    return f"### {name}\n\n{about}\n\n{table(['field', 'type', 'in the file', 'what'], rows)}"


def _json_type(schema: Mapping[str, Any]) -> str:
    values = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(values, Mapping):
        return f"object of {_json_type(values)}"
    return allowed(schema).replace("mapping", "object")
