"""Long Range Arena's ListOps as its release has it: expressions with parentheses, and their values."""

from collections.abc import Sequence

TOP = "lra_release/listops-1000"
NAMES = {"train": "basic_train.tsv", "validation": "basic_val.tsv", "test": "basic_test.tsv"}
SPLITS: dict[str, Sequence[tuple[str, int]]] = {
    "train": [
        ("( ( ( [MAX 2 ) 9 ) ] )", 9),
        ("( ( ( ( [SM 7 ) 8 ) ( ( ( [MIN 3 ) 4 ) ] ) ) ] )", 8),
        ("( ( ( ( [MED 1 ) 5 ) 6 ) ] )", 5),
    ],
    "validation": [("( ( ( [MIN 4 ) 6 ) ] )", 4)],
    "test": [("( ( ( [SM 9 ) 9 ) ] )", 8), ("( ( ( [MAX 0 ) 1 ) ] )", 1)],
}


def files() -> dict[str, bytes]:
    """The release, whose other data sets have files called after splits, too."""
    made = {f"{TOP}/{NAMES[split]}": tsv(rows) for split, rows in SPLITS.items()}
    others = {f"lra_release/tsv_data/new_aan_pairs.{split}.tsv": b"0.0\tx\ty\n" for split in ("train", "eval", "test")}
    pictures = {"lra_release/pathfinder32/curv_baseline/metadata/0.npy": b"imgs/0 sample_0.png 0 1 0 0 2 3\n"}
    return {**others, **made, **pictures}


def tsv(rows: Sequence[tuple[str, int]]) -> bytes:
    """A file of examples, with the header of the original."""
    return b"Source\tTarget\n" + b"".join(f"{source}\t{target}\n".encode() for source, target in rows)
