"""CUB-200-2011 as its makers and Kaggle have it, with a few birds."""

from tests.data.copies.colours import jpeg, pixels

BIRDS = {1: "001.Black_footed_Albatross", 2: "002.Laysan_Albatross", 15: "015.Lazuli_Bunting", 200: "200.Yellowthroat"}
EACH = 4


def original(top: str = "CUB_200_2011/") -> dict[str, bytes]:
    """The folder in the makers' tgz; half of each bird's photographs are for training."""
    files: dict[str, bytes] = {}
    names, labels, splits = [], [], []
    for number in range(EACH * len(BIRDS)):
        label = [*BIRDS][number // EACH]
        name = f"{BIRDS[label]}/{BIRDS[label][4:]}_{number:04}_{1000 + number}.jpg"
        picture = pixels(label - 1, number, 90)
        files[f"{top}images/{name}"] = jpeg(picture[:, : 70 + number])
        names.append(f"{number + 1} {name}")
        labels.append(f"{number + 1} {label}")
        splits.append(f"{number + 1} {number % 2}")
    lists = {
        "images": names,
        "image_class_labels": labels,
        "train_test_split": splits,
        "classes": [f"{number} {name}" for number, name in BIRDS.items()],
        "bounding_boxes": [f"{number + 1} 60.0 27.0 325.0 304.0" for number in range(len(names))],
    }
    files |= {f"{top}{name}.txt": ("\n".join(lines) + "\n").encode() for name, lines in lists.items()}
    return {**files, f"{top}README": b"made", f"{top}parts/parts.txt": b"1 back\n", "attributes.txt": b"1 has_bill\n"}


def kaggle() -> dict[str, bytes]:
    """Kaggle's zip: the same and masks, which have folders of the same names."""
    first = next(iter(BIRDS.values()))
    return {**original(), f"segmentations/{first}/{first[4:]}_0000_1000.png": b"not read"}
