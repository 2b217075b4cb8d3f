"""Damaged inputs: valid files that were cut, overwritten or edited, as disks, sync tools and people do it."""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

# Pieces at which parsers have failed before: limits of numbers, other types, names that lead out of a folder, control
# characters, text that is not UTF-8
WORDS = (
    b"0",
    b"-1",
    b"010",
    b"1e400",
    b"NaN",
    b"-Infinity",
    b"9" * 30,
    b"null",
    b"true",
    b"''",
    b"[]",
    b"{}",
    b"[[[[[[",
    b"../../x",
    b"/",
    b"\\",
    b"\x00",
    b"\x1b[2J",
    b"\r\n",
    b"\t",
    b": ",
    b"- ",
    b"&a *a",
    b"12:00:00",
    b"2001-99-99",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    "\u202e\U0001f600".encode(),
    b" " * 200,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1,
    2**63,
    10**400,
    -0.5,
    1e308,
    float("nan"),
    "",
    "../x",
    "a\x00b",
    "\x1b[31m",
    "x" * 5000,
    [],
    [[]],
    {},
    {"": {}},
    [0] * 300,
)


@st.composite
def damaged(draw: st.DrawFn, valid: Sequence[bytes]) -> bytes:
    """Return one of some valid files after up to four edits, or bytes that have nothing to do with them."""
    content = bytearray(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 40) | st.integers(0, len(content)))
        match draw(st.sampled_from(("cut", "remove", "insert", "overwrite", "repeat", "random"))):
            case "cut":
                del content[start:]
            case "remove":
                del content[start : start + length]
            case "insert":
                content[start:start] = draw(st.sampled_from(WORDS))
            case "overwrite":
                word = draw(st.sampled_from(WORDS))
                content[start : start + len(word)] = word
            case "repeat":
                content[start:start] = content[start : start + length] * draw(st.integers(1, 3))
            case _:
                content[start : start + length] = draw(st.binary(max_size=40))
    return bytes(content)


_value = st.sampled_from(VALUES).map(deepcopy)  # a later change must not change the list of values


@st.composite
def altered(draw: st.DrawFn, valid: Sequence[Any]) -> bytes:
    """Return one of some JSON values as text after up to three of its parts were replaced, removed or added."""
    tree = json.loads(json.dumps(draw(st.sampled_from(valid))))
    for _ in range(draw(st.integers(1, 3))):
        box, key = draw(st.sampled_from(list(_places(tree)) or [([tree], 0)]))
        match draw(st.sampled_from(("replace", "remove", "add"))):
            case "replace":
                box[key] = draw(_value)
            case "remove":
                del box[key]
            case _ if isinstance(box, dict):
                box[draw(st.sampled_from(("extra", "", "__class__", *box)))] = deepcopy(draw(st.sampled_from(VALUES)))
            case _:
                box.append(draw(_value))
    return json.dumps(tree).encode(errors="surrogatepass")


def _places(tree: Any) -> Any:
    """Yield every container in a tree with each of its keys."""
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])
