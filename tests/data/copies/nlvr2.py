"""NLVR2: the JSON files of its repository, its makers' photographs, and both in the hub's Parquet files."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq

from tests.data.copies.cifar import png
from tests.data.copies.colours import pixels

SPLITS = {"train": 5, "dev": 3, "test1": 3}  # pairs of photographs
RIGHT = 70  # colour of the right one, whatever the sentence
TRUE, FALSE = 30, 5  # colours of left photographs whose sentences are true or false


def examples(split: str) -> list[dict[str, object]]:
    """The lines of a split: two sentences a pair, one of them left out sometimes."""
    found = []
    for pair in range(SPLITS[split]):
        for sentence in range(2 - pair % 2):
            line: dict[str, object] = {
                "sentence": f"There are {pair} dogs, says {sentence}.",
                "left_url": "https://made.up/left.jpg",
                "right_url": "https://made.up/right.jpg",
                "label": str(pair % 2 == 0),
                "identifier": f"{split}-{100 + pair}-{pair % 4}-{sentence}",
                "writer": 7,
            }
            found.append({**line, "directory": pair % 3} if split == "train" else line)
    return found


def texts(top: str = "nlvr-master/nlvr2/data/") -> dict[str, bytes]:
    """The repository's files, with those of NLVR that have like names, and subsets."""
    files = {
        f"{top}{split}.json": "".join(json.dumps(line) + "\n" for line in examples(split)).encode() for split in SPLITS
    }
    return {
        **files,
        f"{top}balanced/balanced_dev.json": files[f"{top}dev.json"],
        "nlvr-master/nlvr/dev/dev.json": b"{}",
    }


def photographs(split: str, folders: bool = True) -> dict[str, bytes]:
    """Both photographs of each pair by their paths in the makers' archive; ``folders``: training ones lie in some."""
    files = {}
    for line in examples(split):
        pair = str(line["identifier"]).rpartition("-")[0]
        inside = f"{line['directory']}/" if folders and "directory" in line else ""
        for side, content in enumerate(sides(line)):
            files[f"{split}/{inside}{pair}-img{side}.png"] = content
    return files


def sides(line: dict[str, object]) -> tuple[bytes, bytes]:
    """Left and right photograph of an example."""
    pair = str(line["identifier"]).rpartition("-")[0]
    left = TRUE if line["label"] == "True" else FALSE
    return png(pixels(left, len(pair), 60)[:50]), png(pixels(RIGHT, len(pair), 60))


def hub(both: bool = False) -> dict[str, bytes]:
    """Parquet files with both photographs in each row, in one column or two, and other names of columns."""
    files = {}
    for split, name in (("train", "train"), ("dev", "validation"), ("test1", "test")):
        lines = examples(split)
        images = [[{"bytes": content, "path": None} for content in sides(line)] for line in lines]
        columns: dict[str, list[object]] = {
            "question_id" if both else "identifier": [line["identifier"] for line in lines],
            "question" if both else "sentence": [line["sentence"] for line in lines],
            "answer" if both else "label": [line["label"] if both else line["label"] == "True" for line in lines],
        }
        pictures: dict[str, list[object]] = (
            {"images": list(images)}
            if both
            else {"left_image": [pair[0] for pair in images], "right_image": [pair[1] for pair in images]}
        )
        stream = io.BytesIO()
        pq.write_table(pa.table({**columns, **pictures}), stream)
        files[f"data/{name}-00000-of-00001.parquet"] = stream.getvalue()
    return files
