"""IMDb as its makers' archive and the hub have it; a positive review says "good", a negative one "bad"."""

import csv
import io
import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

TOP = "aclImdb"
NUMBERS = (0, 10, 2, 1, 101)  # of files, in no order
WORDS = {"neg": ("bad", 3), "pos": ("good", 8)}


def review(split: str, name: str, number: int) -> str:
    """The text of a review, with the oddities of the original: breaks of HTML, accents, and a control character."""
    return (
        f'A {WORDS[name][0]} film, number {number} of {split}.<br /><br />Café\x85 \x91quoted\x92, "twice"\nand more.'
    )


def reviews(split: str) -> list[tuple[str, int]]:
    """Text and label (1 is positive) of all reviews of a split, in the order in which the archive has its files."""
    return [(review(split, name, number), label) for label, name in enumerate(WORDS) for number in NUMBERS]


def original() -> dict[str, bytes]:
    """The archive: a file for each review, whose name ends in its rating, and training reviews without a label."""
    files = {f"{TOP}/README": b"Large Movie Review Dataset v1.0", f"{TOP}/imdb.vocab": b"the\nand\n"}
    for split in ("test", "train"):
        for name, (_, rating) in WORDS.items():
            files[f"{TOP}/{split}/urls_{name}.txt"] = b"http://www.imdb.com/title/tt0000001/usercomments\n"
            for number in NUMBERS:
                files[f"{TOP}/{split}/{name}/{number}_{rating}.txt"] = review(split, name, number).encode()
        files[f"{TOP}/{split}/labeledBow.feat"] = b"9 0:9 1:1\n"
    return {**files, **{f"{TOP}/train/unsup/{number}_0.txt": b"no label" for number in range(3)}}


def hub(names: Sequence[str] = ("neg", "pos"), columns: tuple[str, str] = ("text", "label")) -> dict[str, bytes]:
    """The hub's Parquet files, also those without labels; copies of other owners have other names and columns."""
    files = {
        f"plain_text/{split}-00000-of-00001.parquet": parquet(reviews(split), names, columns)
        for split in ("train", "test")
    }
    return {**files, "plain_text/unsupervised-00000-of-00001.parquet": parquet([("no label", -1)], names, columns)}


def parquet(rows: Sequence[tuple[str, int]], names: Sequence[str], columns: tuple[str, str]) -> bytes:
    """Reviews as Parquet with the hub's metadata; labels by the position of neg and pos among the names."""
    order = [next(n for n, own in enumerate(names) if own.startswith(name)) for name in WORDS]
    labels = [order[label] if label >= 0 else label for _, label in rows]
    text, label = columns
    features = {text: {"_type": "Value", "dtype": "string"}, label: {"_type": "ClassLabel", "names": list(names)}}
    schema = pa.schema(
        [pa.field(text, pa.string()), pa.field(label, pa.int64())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})},
    )
    stream = io.BytesIO()
    pq.write_table(pa.table([[own for own, _ in rows], labels], schema=schema), stream)
    return stream.getvalue()


def csv_files() -> dict[str, bytes]:
    """CSV as spreadsheets write it: a mark at its start, a column of numbers, quotes, and breaks of lines in texts."""
    files = {}
    for split in ("train", "test"):
        stream = io.StringIO()
        writer = csv.writer(stream)
        writer.writerow(["", "review", "sentiment"])
        writer.writerows(
            [number, text, ("negative", "positive")[label]] for number, (text, label) in enumerate(reviews(split))
        )
        files[f"imdb/{split}.csv"] = b"\xef\xbb\xbf" + stream.getvalue().encode()
    return files


def json_lines() -> dict[str, bytes]:
    """An object of JSON in each line, with the numbers of the classes, as the library datasets writes it."""
    return {
        f"imdb_{split}.jsonl": b"".join(
            json.dumps({"text": text, "label": label}).encode() + b"\n" for text, label in reviews(split)
        )
        for split in ("train", "test")
    }
