"""Files that others may have written are read with bounds, and checked against a schema once."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.reading import parse_json, read_bytes, read_json, read_text


class Beat(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    claim: int


def test_a_file_becomes_an_object_of_its_schema(tmp_path: Path) -> None:
    file = tmp_path / "beat.json"
    file.write_text('{"claim": 7}')
    assert read_json(file, Beat) == Beat(claim=7)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"claim": 7', "is not JSON"),
        (b'{"claim": NaN}', "NaN is not a number in JSON"),
        (b'{"claim": 1, "claim": 2}', "the key 'claim' occurs twice"),
        (b'{"claim" :1,"claim" :2}', "the key 'claim' occurs twice"),
        (b'{"claim": {"a": 1, "a": 2}}', "the key 'a' occurs twice"),
        (b'[{"a": "\\u0022:", "a": 2}]', "the key 'a' occurs twice"),  # a mark in a string for the one that is lost
        (b'[{"claim": 1, "clai\\u006d": 2}]', "the key 'claim' occurs twice"),
        (b'{"claim": "7"}', "claim = '7'"),
        (b'{"claim": 7, "more": 1}', "more = 1"),
        (b'{"claim": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "is not JSON"),
        (b"", "is not JSON"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_file(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "beat.json"
    file.write_bytes(content)
    with pytest.raises(BrokenFileError) as refusal:
        read_json(file, Beat)
    message = str(refusal.value)
    assert message.startswith(str(file)) and problem in message and "\n" not in message


def test_only_regular_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(BrokenFileError, match=f"^{place} is "):
            read_bytes(place)
    large = tmp_path / "large"
    large.write_bytes(b"x" * 11)
    assert read_bytes(large, largest=11) == b"x" * 11
    with pytest.raises(BrokenFileError, match="more than 10 bytes"):
        read_bytes(large, largest=10)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*absent: No such file"):
        read_bytes(tmp_path / "absent")
    with pytest.raises(UserError, match="null"):
        read_bytes("a\0b")


def test_text_is_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_bytes(b"caf\xe9")
    with pytest.raises(BrokenFileError, match="not UTF-8 text"):
        read_text(file)


def test_json_may_come_from_elsewhere() -> None:
    assert parse_json("[1, 2.5]", "metadata") == [1, 2.5]


TEXTS = st.text(alphabet=st.sampled_from('a":\\u0022, é\n'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(value=VALUES, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_json_is_read_as_python_does(value: object, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert parse_json(text, "it") == value == json.loads(text)


@given(key=TEXTS, other=VALUES, around=VALUES, blank=st.sampled_from(["", " ", "\n"]))
def test_a_key_that_occurs_twice_is_seen_whatever_is_around_it(
    key: str, other: object, around: object, blank: str
) -> None:
    name = json.dumps(key)
    text = f"[{json.dumps(around)}, {{{name}{blank}: 1, {name}{blank}: {json.dumps(other)}}}]"
    with pytest.raises(BrokenFileError, match="occurs twice"):
        parse_json(text, "it")
