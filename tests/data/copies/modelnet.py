"""ModelNet in every form in which users have it. Each class is a box of other proportions, which show the label."""

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

BOXES: Mapping[str, tuple[float, float, float]] = {
    "bathtub": (1, 1, 1),
    "night_stand": (1, 1, 0.2),
    "toilet": (1, 0.2, 0.2),
    "xbox": (1, 0.5, 0.2),
}
TEN = ("bathtub", "night_stand", "toilet")  # those that ModelNet10 has, too
EACH = {"train": 3, "test": 2}
CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
QUADS = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def class_of(points: np.ndarray) -> str:
    """The class of a cloud P×3, by the proportions of its box."""
    sides = np.sort(np.ptp(points, axis=0))[::-1]
    return min(BOXES, key=lambda name: float(np.abs(sides / sides[0] - np.array(BOXES[name])).sum()))


def shapes(classes: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Class, split and name of every shape; numbers go on from training to test, as in the original."""
    for name in classes:
        number = 0
        for split, count in EACH.items():
            for _ in range(count):
                number += 1
                yield name, split, f"{name}_{number:04}"


def off(name: str, glued: bool = False) -> bytes:
    """A mesh of squares; in some files of the original no line ends after the first word."""
    size = np.array(BOXES[name])
    vertices = "".join(f"{x:g} {y:g} {z:g}\n" for x, y, z in CORNERS * size)
    faces = "".join(f"4 {' '.join(map(str, quad))}\n" for quad in QUADS)
    return f"OFF{'' if glued else chr(10)}8 6 0\n{vertices}{faces}".encode()


def cloud(name: str, seed: int, count: int) -> np.ndarray:
    """Points on the surface of a class's box, float32 count×3, in the unit ball; the corners come first."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (count, 3))
    points[np.arange(count), rng.integers(3, size=count)] = rng.choice([-1, 1], count)
    points[:8] = CORNERS
    points = points * np.array(BOXES[name])
    return (points / np.linalg.norm(points, axis=1).max()).astype(np.float32)


def meshes(top: str = "ModelNet40", classes: Sequence[str] = tuple(BOXES)) -> dict[str, bytes]:
    """The makers' zip, with what a Mac has added; the first mesh of a class is glued."""
    made = {f"{top}/{name}/{split}/{own}.off": off(name, own.endswith("1")) for name, split, own in shapes(classes)}
    junk = {f"__MACOSX/{top}/xbox/train/._xbox_0001.off": b"junk", f"{top}/xbox/.DS_Store": b"junk"}
    return {f"{top}/README.txt": b"read me", **junk, **made}


def splits_first(top: str = "meshes") -> dict[str, bytes]:
    """The same with a folder for each split, and suffixes in capitals."""
    return {f"{top}/{split}/{name}/{own}.OFF": off(name) for name, split, own in shapes(tuple(BOXES))}


def hdf5(top: str = "modelnet40_ply_hdf5_2048", names: Sequence[str] = tuple(BOXES)) -> dict[str, bytes]:
    """HDF5 files as the usual zip has them: shapes of mixed classes, labels N×1, lists with paths of their makers."""
    own = sorted(((name, split) for name, split, _ in shapes(names)), key=lambda pair: pair[0][1:])
    files = {}
    for split in EACH:
        mine = [name for name, where in own if where == split]
        middle = len(mine) // 2 if split == "train" else len(mine)
        for number, part in enumerate(filter(None, (mine[:middle], mine[middle:]))):
            clouds = np.stack([cloud(name, 100 * number + row, 2048) for row, name in enumerate(part)])
            labels = np.array([[names.index(name)] for name in part], dtype=np.uint8)
            files[f"{top}/ply_data_{split}{number}.h5"] = hdf5_file(data=clouds, label=labels)
            files[f"{top}/ply_data_{split}_{number}_id2file.json"] = b"[]"
        listed = [name for name in files if f"ply_data_{split}" in name and name.endswith(".h5")]
        files[f"{top}/{split}_files.txt"] = "".join(f"data/{name}\n" for name in listed).encode()
    return {**files, f"{top}/shape_names.txt": "".join(f"{name}\n" for name in names).encode()}


def hdf5_file(**arrays: np.ndarray) -> bytes:
    """An HDF5 file with compressed arrays."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, compression="gzip", compression_opts=1)
    return stream.getvalue()


def normals(top: str = "modelnet40_normal_resampled", points: int = 4200) -> dict[str, bytes]:
    """A text file for each shape, and the lists of both data sets; their last line has no end."""
    files = {}
    for row, (name, _, own) in enumerate(shapes(tuple(BOXES))):
        table = np.concatenate([cloud(name, row, points), np.ones((points, 3))], axis=1)
        lines = [",".join(f"{number:.6f}" for number in line) for line in table.tolist()]
        files[f"{top}/{name}/{own}.txt"] = "\n".join(lines).encode() + b"\n"
    for prefix, classes in (("modelnet40", tuple(BOXES)), ("modelnet10", TEN)):
        files[f"{top}/{prefix}_shape_names.txt"] = "\n".join(classes).encode()
        for split in EACH:
            listed = [own for _, where, own in shapes(classes) if where == split]
            files[f"{top}/{prefix}_{split}.txt"] = "\n".join(listed).encode()
    return {**files, f"{top}/filelist.txt": b"bathtub/bathtub_0001.txt\n"}
