"""YAML is read by the core schema of YAML 1.2, with bounds; what is written is read as equal data."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nacbench.errors import BrokenFileError, UserError
from nacbench.formats.yaml_text import LARGEST, as_yaml, parse_yaml, read_mapping


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("010", 10),  # in YAML 1.1 this is eight
        ("-7", -7),
        ("0o17", 15),
        ("0xFF", 255),
        ("9223372036854775807", 2**63 - 1),
        ("1e-3", 0.001),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("-.inf", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("", None),
        ("# only a comment", None),
    ],
)
def test_numbers_and_constants(text: str, value: object) -> None:
    read = parse_yaml(text, "here")
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "12:00:00",  # in YAML 1.1 this is 43,200, and the next one 190:20:30
        "685230.15:20",
        "2026-11-28",
        "2001-99-99",
        "2026-11-28 12:00:00",
        "yes",
        "No",
        "on",
        "OFF",
        "1_000",
        "0b11",
        "0o8",
        "-0x1F",
        "1.2.3",
        "e5",
        "nan",
        "tRUE",
        "=",
    ],
)
def test_all_other_words_are_text(text: str) -> None:
    assert parse_yaml(text, "here") == text


@pytest.mark.parametrize("text", ["010", "true", "null", "1e-3", "~", ""])
def test_quoted_words_are_text(text: str) -> None:
    assert parse_yaml(f"'{text}'", "here") == text
    assert parse_yaml(f'"{text}"', "here") == text


def test_keys_are_text_as_they_are_written() -> None:
    assert parse_yaml("{1: a, yes: b, 0x10: c, null: d}", "here") == {"1": "a", "yes": "b", "0x10": "c", "null": "d"}


def test_not_a_number_is_read_as_such() -> None:
    assert math.isnan(parse_yaml(".NaN", "here"))


def test_an_alias_repeats_a_value() -> None:
    assert parse_yaml("small: &s {depth: 2}\nlarge: [*s, *s]", "here") == {
        "small": {"depth": 2},
        "large": [{"depth": 2}, {"depth": 2}],
    }


REFUSED = [
    ("a: 1\nb: [", "at line 2, column 5: "),
    ("a: 1\n\tb: 2", "at line 2, column 1: "),
    ("a: {b: 1,\n b: 2}", "at line 2, column 2: key 'b' is given a second time, after line 1"),
    ("1: a\n'1': b", "at line 2, column 1: key '1' is given a second time"),
    ("&a [*a]", "at line 1, column 5: no complete value before this has the anchor 'a'"),
    ("&a {b: *a}", "no complete value before this has the anchor 'a'"),
    ("a: *b", "no complete value before this has the anchor 'b'"),
    ("a: 1\n---\nb: 2", "at line 2, column 1: a second document starts here"),
    ("a: !!int '3'", "at line 1, column 4: the tag 'tag:yaml.org,2002:int' is not read"),
    ("!!python/name:os.system", "the tag 'tag:yaml.org,2002:python/name:os.system' is not read"),
    ("!!binary aGk=", "the tag"),
    ("!!set {a}", "the tag"),
    ("!mine {a: 1}", "the tag '!mine' is not read"),
    ("! a", "the tag '!' is not read"),
    ("a: !b%1b[2J", "the tag '!b\\x1b[2J' is not read"),
    ("a: &b {c: 1}\nd: {<<: *b}", "at line 2, column 5: YAML 1.2 has no merge key <<"),
    ("? [a]\n: 1", "at line 1, column 3: a key must be text"),
    ("&a b: 1", "a key must be text"),
    ("a: &k x\n*k : 1", "a key must be text"),
    ("a: " + "9" * 5000, "at line 1, column 4: the number '9999"),
    ("a: 0x" + "f" * 5000, "does not fit into 64 bits"),
    ("9223372036854775808", "does not fit into 64 bits"),
    ("-9223372036854775809", "does not fit into 64 bits"),
    ("1e999", "the number '1e999' is too large"),
    ("1" * 400 + ".0", "is too large"),
    ("a: b\x07", "at line 1, column 5: the character U+0007 is not allowed"),
    ("a: b\nc: \ud800", "at line 2, column 4: the character U+D800 is not allowed"),
    ('"\\ud800"', "the character U+D800 is not allowed"),
    ('"a\\0"', "the character U+0000 is not allowed"),
    ('"\\0": a', "the character U+0000 is not allowed"),
    ('"\\U00110000"', "an escape such as \\U00110000 names no character"),
    ("[" * 100_000, "at line 1, column 51: more than 50 mappings and lists inside one another"),
    ("{a: " * 1000, "more than 50 mappings and lists inside one another"),
    ("- " * 1000, "more than 50 mappings and lists inside one another"),
    ("[" + "a," * 100_001 + "]", "more than 100,000 values"),
    ("a: &a [1, 1, 1]\n" + "".join(f"{n}: &{n} [{'*a,' * 300}]\n" for n in range(200)), "more than 100,000 values"),
    ("a: b: c", "at line 1, column 5: "),
    ("!<" + "a" * 1000 + ">", "the tag 'aaa"),
    ("!" + "a" * 1000 + "!b c", "found undefined tag handle"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED, ids=[text[:12] for text, _ in REFUSED])
def test_what_is_refused_is_said_in_one_short_line_with_its_place(text: str, problem: str) -> None:
    with pytest.raises(BrokenFileError) as caught:
        parse_yaml(text, "here.yaml")
    message = str(caught.value)
    assert message.startswith("here.yaml is not valid YAML")
    assert problem in message
    assert message.isprintable()
    assert len(message) < 300


@given(st.text(st.sampled_from("ab1&*!-?:,[]{}#|>%@`'\"\\ \n\t0xue.+<=~"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_yaml(text, "here")
    except BrokenFileError as error:
        assert "\n" not in str(error)


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
WORDS = st.sampled_from(
    ["yes", "010", "1e-3", "0o7", "1.e5", ".5", "1:30", "2026-11-28", "~", "", "null", "0x1f", "<<"]
)
TEXTS = st.text(CHARACTERS, max_size=12) | WORDS | st.from_regex(r"[-+.0-9eExo_:]{1,8}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, width=64) | TEXTS
DATA = st.recursive(
    SCALARS, lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXTS, part, max_size=3), max_leaves=10
)


@given(DATA)
def test_what_is_written_is_read_as_equal_data(data: Any) -> None:
    assert parse_yaml(as_yaml(data), "here") == data


@given(DATA)
def test_what_is_written_is_the_same_to_readers_of_yaml_1_1(data: Any) -> None:
    assert yaml.safe_load(as_yaml(data)) == data


@given(SCALARS)
def test_a_value_is_written_with_its_type(value: object) -> None:
    assert type(parse_yaml(as_yaml(value), "here")) is type(value)


def test_a_file_is_read_as_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("seed: 3\ntraining:\n  lr: 3e-4\n")
    assert read_mapping(file, ["seed"]) == {"seed": 3, "training": {"lr": 0.0003}}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it should be a mapping with the keys seed, scale"),
        (b"- 1", "it should be a mapping with the keys seed, scale"),
        (b"a: \xff", "is not UTF-8 text"),
        ("a: 1".encode("utf-16"), "is not UTF-8 text"),
        (b"a: b\nc: [", "is not valid YAML at line 2, column 5"),
        (b"#" * (LARGEST + 1), "has more than 1,048,576 bytes"),
    ],
    ids=["nothing", "a list", "not UTF-8", "UTF-16", "broken", "large"],
)
def test_a_file_that_is_not_one_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(content)
    with pytest.raises(BrokenFileError) as caught:
        read_mapping(file, ["seed", "scale"])
    assert str(caught.value).startswith(str(file))
    assert problem in str(caught.value)


@pytest.mark.parametrize("name", ["/dev/zero", ".", "absent.yaml", "a\0b", "n" * 300])
def test_what_is_not_a_readable_file_is_one_line(name: str) -> None:
    with pytest.raises(UserError) as caught:
        read_mapping(Path(name), ["seed"])
    assert "\n" not in str(caught.value)
