"""NLVR as its repository has it: JSON lines, and six orderings of each picture, in numbered folders."""

import json

import numpy as np

from tests.data.copies.cifar import png
from tests.data.copies.colours import pixels

SPLITS = {"train": 12, "dev": 4, "test": 4}
TRUE, FALSE = 30, 5  # colours that pictures of a true and a false sentence show


def repository(top: str = "nlvr-master/nlvr/") -> dict[str, bytes]:
    """All splits, and what else lies beside them."""
    files = {f"{top}README.md": b"made", f"{top}hidden/hidden2.json": b"{}\n"}
    for split, count in SPLITS.items():
        lines = []
        for number in reversed(range(count)):
            identifier, directory = f"{100 + number // 2}-{number % 2}", str(number % 3)
            label = number % 2 == 0
            line: dict[str, object] = {
                "sentence": f"There is a box with {number} items.",
                "label": "true" if label else "false",
                "identifier": identifier,
                "directory": directory,
                "evals": {"r0": "true"},
                "structured_rep": [[], [], []],
            }
            lines.append(json.dumps(line))
            for ordering in range(6):
                name = f"{top}{split}/images/{directory}/{split}-{identifier}-{ordering}.png"
                files[name] = picture(TRUE if label else FALSE, number, ordering)
        files[f"{top}{split}/{split}.json"] = ("\n".join(lines) + "\n").encode()
    return files


def picture(number: int, seed: int, ordering: int) -> bytes:
    """A picture of 400×100 pixels, RGBA as the original ones; orderings differ by a dark line."""
    image = np.concatenate([pixels(number, seed, 100)] * 4, axis=1)
    image[:, 60 * ordering] = 0
    return png(np.concatenate([image, np.full((100, 400, 1), 255, np.uint8)], axis=2))
