"""Read small files that others may have written: regular files of bounded size, JSON checked against a schema, once."""

from __future__ import annotations

import json
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from nacbench.errors import BrokenFileError, UserError, first_problem, shown

if TYPE_CHECKING:
    from pydantic import BaseModel

LARGEST = 64 * 2**20  # bytes; ten times the largest file of ours that is read as a whole

Schema = TypeVar("Schema", bound="BaseModel")


def read_bytes(path: Path | str, *, largest: int = LARGEST) -> bytes:
    """Return the content of a regular file.

    Args:
        path: the file.
        largest: size in bytes up to which it is read.

    Raises:
        BrokenFileError: if it is a folder, a device or a pipe, or larger; the message names the file.
        UserError: if it cannot be opened or read. A missing file counts as this.
    """
    with open_regular(path) as stream:
        try:
            # By its size, as a buffer for the largest file takes longer than most files; some in /proc say 0
            size = min(os.fstat(stream.fileno()).st_size, largest)
            content = stream.read(size + 1)
            if len(content) > size:
                content += stream.read(largest + 1 - len(content))
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > largest:
        raise BrokenFileError(f"{path} has more than {largest:,} bytes, too many for a file of this kind")
    return content


def open_regular(path: Path | str) -> BufferedReader:
    """Open a regular file for reading; raises as `read_bytes`. A pipe or a device could be read for ever."""
    try:
        # O_NONBLOCK: opening a pipe would otherwise wait for a process that writes to it
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"cannot read {shown(str(path))}: {error}") from None  # a name with a NUL
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise BrokenFileError(f"{path} is {'a folder, not a file' if stat.S_ISDIR(mode) else 'not a regular file'}")
    return os.fdopen(descriptor, "rb")


def read_text(path: Path | str, *, largest: int = LARGEST) -> str:
    """Return the content of a UTF-8 text file; raises as `read_bytes`, and BrokenFileError if it is not UTF-8."""
    try:
        return read_bytes(path, largest=largest).decode()
    except UnicodeDecodeError as error:
        raise BrokenFileError(f"{path} is not UTF-8 text (byte {error.start})") from None


def parse_json(content: bytes | str, where: object, *, unicode_only: bool = False) -> Any:
    """Parse JSON strictly: UTF-8, no NaN or infinity, no key twice in an object, no nesting beyond 200 levels.

    Args:
        content: the text.
        where: the place it comes from, for errors.
        unicode_only: also refuse halves of surrogate pairs, by which Python writes names of files that are not UTF-8.

    Raises:
        BrokenFileError: if it is not such JSON; the message starts with the place.
    """
    from pydantic_core import from_json

    try:
        text = content if isinstance(content, bytes) else content.encode()
        try:
            value = from_json(text, allow_inf_nan=False)
        except ValueError as error:
            if "recursion limit" in str(error):
                raise BrokenFileError(f"{where} is not JSON of ours: it is nested too deeply") from None
        else:
            if _surely_has_each_key_once(text, value):
                return value
        # Slower, but sees a key that occurs twice, and has the clearer messages
        value = json.loads(text.decode(), parse_constant=_no_constant, object_pairs_hook=_no_key_twice)
        if unicode_only:
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except ValueError as error:  # also UnicodeError, JSONDecodeError, and integers of thousands of digits
        raise BrokenFileError(f"{where} is not JSON: {error}") from None


def read_json(path: Path | str, schema: type[Schema], *, largest: int = LARGEST) -> Schema:
    """Return a JSON file as an object of a schema, a pydantic model.

    Raises:
        BrokenFileError: if it is not JSON, or does not fit the schema; the message names file and problem.
        UserError: as `read_bytes`.
    """
    return checked(parse_json(read_bytes(path, largest=largest), path), schema, path)


def checked(content: Any, schema: type[Schema], where: object) -> Schema:
    """Return parsed JSON as an object of a schema; raises BrokenFileError as `read_json`."""
    from pydantic import ValidationError

    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise BrokenFileError(f"{where} is not a valid {schema.__name__}: {first_problem(error, '')}") from None


def _surely_has_each_key_once(text: bytes, value: Any) -> bool:
    """Return whether no key of a JSON text can have been lost in its value. False does not mean that one was.

    The keys of both are counted by the quotation marks that a colon follows, which takes a tenth of the time of a
    parser that looks at each key. In strings such marks are written in the same way in both, unless by their number.
    """
    from pydantic_core import to_json

    if b"\\u0022" in text or any(blank in text for blank in (b" :", b"\t:", b"\n:", b"\r:")):
        return False
    return text.count(b'":') == to_json(value).count(b'":')


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} occurs twice")
    return content
