"""What a process of the benchmark of meshes does; a module of its own, as `reading` would import torch there."""

from pathlib import Path

from nacbench.data.points.meshes import read_mesh


def size_of_mesh(file: Path) -> int:
    """Read a mesh and return the number of its triangles, so that processes do not send meshes to each other."""
    return len(read_mesh(file)[1])
