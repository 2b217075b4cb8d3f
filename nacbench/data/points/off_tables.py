"""Fast reader of plain OFF files: triangles only, one vertex or face a line, nothing else; by pyarrow's CSV reader.

Nearly all files of ModelNet are such. `nacbench.data.points.meshes` reads the others, and words the errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

LARGEST = 2**31 - 1  # bytes that pyarrow reads as one block
REWRITTEN = ((b"\r\n", b"\n"), (b"\t", b" "), (b"  ", b" "), (b" \n", b"\n"), (b"\n ", b"\n"), (b"\n\n", b"\n"))
STRANGE = (b"#", b'"', b"x", b"X")  # comments, and numbers that pyarrow reads and NumPy does not


def read_plain(content: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Return vertices (float32 V×3) and triangles (int64 F×3), as stored; None if the file is not of the plain kind.

    Indices of vertices are not compared with their number.
    """
    if len(content) > LARGEST or any(mark in content for mark in STRANGE):
        return None
    found = _read(content)  # most files are tidy, and looking for what is not takes as long as reading them
    if found is None:
        tidy = _tidy(content)
        found = _read(tidy) if tidy != content else None
    return found


def _read(content: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    from pyarrow.lib import ArrowInvalid

    begin, counts = _header(content)
    if counts is None:
        return None
    vertex_count, face_count = counts
    ends = np.flatnonzero(np.frombuffer(content, dtype=np.uint8)[begin:] == ord("\n"))
    if len(ends) != vertex_count + face_count:
        return None
    middle = begin + int(ends[vertex_count - 1]) + 1
    try:
        vertices = _columns(memoryview(content)[begin:middle], 3, "double", np.float32)
        faces = _columns(memoryview(content)[middle:], 4, "int64", np.int64)
    except ArrowInvalid:
        return None
    if vertices is None or faces is None or not (faces[0] == 3).all():
        return None
    return np.ascontiguousarray(vertices.T), np.ascontiguousarray(faces[1:].T)


def _tidy(content: bytes) -> bytes:
    """Return the content with one space or line feed wherever there is other white space."""
    content = content.strip() + b"\n"
    for written, plain in REWRITTEN:
        while written in content:
            content = content.replace(written, plain)
    return content


def _header(content: bytes) -> tuple[int, tuple[int, int] | None]:
    """Return where the first vertex begins, and the numbers of vertices and faces; None if they are not as usual."""
    end = content.find(b"\n")
    line = content[:end]
    if line == b"OFF":
        begin, end = end + 1, content.find(b"\n", end + 1)
        line = b"OFF" + content[begin:end]
    words = line.removeprefix(b"OFF").split()
    if not line.startswith(b"OFF") or len(words) not in (2, 3) or not all(word.isdigit() for word in words):
        return 0, None
    vertices, faces = int(words[0][:12]), int(words[1][:12])
    return end + 1, (vertices, faces) if vertices and faces else None


def _columns(text: memoryview, count: int, kind: str, dtype: type[np.generic]) -> np.ndarray | None:
    """Parse lines of ``count`` numbers into columns, count×N; None if one is missing.

    Raises:
        ArrowInvalid: if a line has another number of words, or a word is no number.
    """
    import pyarrow as pa
    from pyarrow import csv

    names = [str(number) for number in range(count)]
    table: pa.Table = csv.read_csv(
        pa.BufferReader(pa.py_buffer(text)),
        # one block and one thread: files are read side by side
        read_options=csv.ReadOptions(column_names=names, use_threads=False, block_size=max(1, len(text))),
        parse_options=csv.ParseOptions(delimiter=" ", quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, kind), null_values=[]),
    )
    columns = np.empty((count, table.num_rows), dtype=dtype)
    for number, column in enumerate(table.columns):
        if column.null_count:
            return None
        with np.errstate(over="ignore"):  # an infinite number is refused later, and named
            columns[number] = column.to_numpy()
    return columns
