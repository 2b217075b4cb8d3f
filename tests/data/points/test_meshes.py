"""OFF files, sound and broken, and points drawn from surfaces."""

import random
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nacbench.data.points.meshes import _parsed, read_mesh, sample_surface, unit_ball
from nacbench.data.points.off_tables import read_plain
from nacbench.errors import UserError

SQUARE = "0 0 0\n1 0 0\n1 1 0\n0 1 0\n"
TRIANGLES = "3 0 1 2\n3 0 2 3\n"
PLAIN = f"OFF\n4 2 0\n{SQUARE}{TRIANGLES}"


def mesh_file(folder: Path, text: str) -> Path:
    path = folder / "mesh.off"
    path.write_text(text, newline="", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        PLAIN.replace("OFF\n", "OFF"),
        PLAIN.replace("OFF\n", "OFF "),
        PLAIN.replace("OFF\n", "OFF \t\n"),
        PLAIN.replace("4 2 0", "4 2"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace(" ", "\t"),
        PLAIN.replace("\n", "  \n  "),
        PLAIN.removesuffix("\n"),
        PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("\n", "\n# a comment\n"),
        PLAIN.replace("\n", " # a comment\n"),
        "# a comment\n\n" + PLAIN,
        "\ufeff" + PLAIN,
        PLAIN.replace("3 0 1 2\n", "3 0 1 2 255 0 0\n"),
        PLAIN.replace("3 0 1 2\n", "3 0 1 2 0.5 0 0 1\n"),
        PLAIN.replace("0 0 0\n", "0 0 0 255 255 255\n", 1),
        PLAIN.replace("4 2 0", "4 3 0") + "2 0 1\n",
    ],
)
def test_variants_of_the_off_format_are_read(tmp_path: Path, text: str) -> None:
    vertices, faces = read_mesh(mesh_file(tmp_path, text))
    assert vertices.dtype == np.float32
    assert faces.dtype == np.int64
    assert vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3]]


def test_polygons_become_triangle_fans(tmp_path: Path) -> None:
    text = f"OFF\n5 3 0\n{SQUARE}0.5 2 0\n5 0 1 2 4 3\n4 0 1 2 3\n3 3 2 4\n"
    _, faces = read_mesh(mesh_file(tmp_path, text))
    assert faces.tolist() == [[3, 2, 4], [0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 2, 4], [0, 4, 3]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not an OFF file"),
        ("# nothing else\n", "not an OFF file"),
        ("ply\nformat ascii 1.0\n", "not an OFF file; its first line is 'ply'"),
        ("COFF" + PLAIN.removeprefix("OFF"), "not an OFF file; its first line is 'COFF'"),
        ("OFF", "its counts of vertices, faces and edges are ''"),
        ("OFFICE\n" + PLAIN, "its counts of vertices, faces and edges are 'ICE'"),
        (PLAIN.replace("4 2 0", "4"), "its counts of vertices, faces and edges are '4'"),
        (PLAIN.replace("4 2 0", "4 -2 0"), "its counts of vertices, faces and edges are '4 -2 0'"),
        (PLAIN.removesuffix("3 0 2 3\n"), "declares 4 vertices and 2 faces, but 5 lines follow"),
        (PLAIN.replace("4 2 0", "9 2 0"), "declares 9 vertices and 2 faces, but 6 lines follow"),
        (PLAIN + "3 1 2 3\n", "declares 4 vertices and 2 faces, but 7 lines follow"),
        (f"OFF\n4 0 0\n{SQUARE}", "it has no faces"),
        ("OFF\n0 0 0\n", "it has no vertices"),
        (f"OFF\n4 1 0\n{SQUARE}2 0 1\n", "it has no faces with three corners or more"),
        (PLAIN.replace("3 0 2 3", "3 0 2 4"), "a face has the vertex 4, but the vertices are numbered from 0 to 3"),
        (PLAIN.replace("3 0 2 3", "3 0 2 -1"), "a face has the vertex -1, but the vertices are numbered from 0 to 3"),
        (PLAIN.replace("3 0 2 3", "3 0 2"), "the corners of faces cannot be read"),
        (PLAIN.replace("3 0 2 3", "3 0 2 3.5"), "the corners of faces cannot be read"),
        (PLAIN.replace("3 0 2 3", "9000000000000 0 2 3"), "a face has 9000000000000 corners"),
        (PLAIN.replace("3 0 2 3", "-3 0 2 3"), "a face has -3 corners"),
        (PLAIN.replace("1 1 0", "1 1"), "the coordinates of vertices cannot be read"),
        (PLAIN.replace("1 1 0", "1 1 up"), "the coordinates of vertices cannot be read"),
        (PLAIN.replace("1 1 0", "1 1 nan"), "a coordinate is not finite"),
        (PLAIN.replace("1 1 0", "1 1 inf"), "a coordinate is not finite"),
        (PLAIN.replace("1 1 0", "1 1 1e39"), "a coordinate is not finite"),
        (PLAIN.replace("1 1 0", "1 0 0").replace("0 1 0", "0 0 0"), "the surface has no area"),
    ],
)
def test_broken_file_is_named_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    path = mesh_file(tmp_path, text)
    with pytest.raises(UserError) as caught:
        read_mesh(path)
    assert str(caught.value).startswith(f"mesh {path}: ")
    assert reason in str(caught.value)


def test_binary_or_missing_file_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.off"
    binary.write_bytes(b"OFF BINARY\n\x00\x00\xff\xfe")
    with pytest.raises(UserError, match=r"binary\.off: not a text file"):
        read_mesh(binary)
    with pytest.raises(UserError, match=r"missing\.off: cannot be read: No such file"):
        read_mesh(tmp_path / "missing.off")


@given(st.text(alphabet="OF0123 .-#\nx", max_size=60))
def test_any_text_is_read_or_refused_with_a_user_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = mesh_file(tmp_path_factory.getbasetemp(), "OFF" + text)
    try:
        vertices, faces = read_mesh(path)
    except UserError:
        return
    assert len(sample_surface(vertices, faces, 3, seed=0)) == 3


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_real_meshes_equal_torch_geometric_s(mirror: Path, tmp_path: Path) -> None:
    from torch_geometric.io import read_off

    with zipfile.ZipFile(mirror / "geometric_shapes" / "raw.zip") as archive:
        archive.extractall(tmp_path)
    paths = sorted(tmp_path.rglob("*.off"))
    assert len(paths) == 80
    for path in paths:
        vertices, faces = read_mesh(path)
        cloud = unit_ball(sample_surface(vertices, faces, 256, seed=0))
        assert np.linalg.norm(cloud, axis=-1).max() == pytest.approx(1, abs=1e-6)
        # Its faces of four corners are in another order, and those of more are missing.
        theirs = read_off(str(path))
        assert np.array_equal(vertices, theirs.pos.numpy())
        assert {tuple(face) for face in theirs.face.T.tolist()} <= {tuple(face) for face in faces.tolist()}


def corners(*triangles: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """A mesh of triangles that share no vertices."""
    vertices = np.array(triangles, dtype=np.float32).reshape(-1, 3)
    return vertices, np.arange(len(vertices)).reshape(-1, 3)


SMALL = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
LARGE = [[0.0, 0.0, 5.0], [3.0, 0.0, 5.0], [0.0, 1.0, 5.0]]


def test_points_are_distributed_by_area() -> None:
    points = sample_surface(*corners(SMALL, LARGE), count=20_000, seed=0)
    assert points.shape == (20_000, 3)
    assert points.dtype == np.float32
    on_small = int((points[:, 2] == 0).sum())
    assert abs(on_small - 5000) < 5 * np.sqrt(20_000 * 0.25 * 0.75)
    assert int((points[:, 2] == 5).sum()) == 20_000 - on_small


def test_points_are_uniform_on_a_triangle() -> None:
    a, b, c = np.array([[1.0, 2, 3], [4, 2, 0], [0, 5, 5]])
    points = sample_surface(*corners([a.tolist(), b.tolist(), c.tolist()]), count=20_000, seed=1)
    shares, offset, *_ = np.linalg.lstsq(np.stack([b - a, c - a], axis=1), (points - a).T, rcond=None)
    assert offset.max() < 1e-10
    first, second = shares
    assert min(first.min(), second.min(), (1 - first - second).min()) > -1e-6
    # Four triangles of equal area: at each corner, and the one between the middles of the sides.
    counts = [int((share > 0.5).sum()) for share in (first, second, 1 - first - second)]
    counts.append(20_000 - sum(counts))
    assert max(abs(count - 5000) for count in counts) < 5 * np.sqrt(20_000 * 0.25 * 0.75)


def test_triangles_without_area_get_no_points() -> None:
    flat = [[7.0, 7.0, 7.0], [8.0, 8.0, 8.0], [9.0, 9.0, 9.0]]
    for triangles in ([flat, SMALL, LARGE], [SMALL, flat, LARGE], [SMALL, LARGE, flat]):
        assert sample_surface(*corners(*triangles), count=5000, seed=0).max() <= 5


def test_many_small_triangles_equal_one_of_their_area() -> None:
    small = np.tile(np.array(SMALL, dtype=np.float32) / 500, (250_000, 1))
    vertices = np.concatenate([small, np.array(SMALL, dtype=np.float32) + 2])
    points = sample_surface(vertices, np.arange(len(vertices)).reshape(-1, 3), count=100_000, seed=0)
    assert abs(int((points[:, 0] < 1).sum()) - 50_000) < 5 * np.sqrt(100_000 / 4)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_sampling_works_at_any_scale(scale: float) -> None:
    vertices, faces = corners(SMALL, LARGE)
    points = sample_surface((vertices * scale).astype(np.float32), faces, 100, seed=0)
    np.testing.assert_allclose(points / scale, sample_surface(vertices, faces, 100, seed=0), rtol=1e-5, atol=1e-6)


def test_surface_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="no area"):
        sample_surface(*corners([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]), count=5, seed=0)
    with pytest.raises(ValueError, match="no area"):
        sample_surface(np.zeros((3, 3), np.float32), np.zeros((0, 3), np.int64), 5, seed=0)


def global_draws() -> tuple[float, float, float]:
    """From each of the global generators."""
    return float(torch.rand(())), float(np.random.random()), random.random()  # noqa: NPY002


def seed_all() -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)


def test_sampling_depends_on_the_seed_only() -> None:
    first, other = (sample_surface(*corners(SMALL, LARGE), count=100, seed=seed) for seed in (2**63 - 1, 1))
    assert not np.array_equal(first, other)
    seed_all()
    expected = global_draws()
    seed_all()
    assert np.array_equal(sample_surface(*corners(SMALL, LARGE), count=100, seed=2**63 - 1), first)
    assert global_draws() == expected


def test_sampling_does_not_modify_the_mesh() -> None:
    vertices, faces = corners(SMALL, LARGE)
    vertices.setflags(write=False)
    faces.setflags(write=False)
    sample_surface(vertices, faces, 10, seed=0)


@pytest.mark.parametrize("shape", [(50, 3), (4, 50, 3), (2, 3, 50, 3)])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_unit_ball_normalises_each_cloud(shape: tuple[int, ...], scale: float) -> None:
    points = (np.random.default_rng(0).normal(3, 2, shape) * scale).astype(np.float32)
    ball = unit_ball(points)
    assert ball.shape == shape
    assert ball.dtype == np.float32
    np.testing.assert_allclose(ball.mean(axis=-2), 0, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(ball, axis=-1).max(axis=-1), 1, atol=1e-6)
    if len(shape) == 3:
        assert np.array_equal(ball[1], unit_ball(points[1]))


def test_unit_ball_scales_all_axes_equally() -> None:
    assert unit_ball(np.array([[0, 0, 0], [6, 0, 0], [3, 3, 0], [3, -3, 0]], np.float32)).tolist() == [
        [-1, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, -1, 0],
    ]


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_unit_ball_refuses_coinciding_points(count: int) -> None:
    same = np.full((count, 3), 0.1, np.float32)
    with pytest.raises(ValueError, match="coincide"):
        unit_ball(same)
    if count:
        other = np.random.default_rng(0).normal(size=same.shape).astype(np.float32)
        with pytest.raises(ValueError, match="coincide"):
            unit_ball(np.stack([other, same]))


def test_import_is_light() -> None:
    code = "import sys, nacbench.data.points.shapes; print('torch' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


BIG = np.random.default_rng(0)
CLOUD = "".join(f"{x:.6g} {y:.7e} {z}\n" for x, y, z in BIG.normal(0, 300, (500, 3)).tolist())
LONG = f"OFF\n500 900 0\n{CLOUD}" + "".join(f"3 {a} {b} {c}\n" for a, b, c in BIG.integers(0, 500, (900, 3)).tolist())


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        LONG,
        LONG.replace("OFF\n", "OFF"),
        LONG.replace("\n", "\r\n"),
        LONG.replace("\n", " \n"),
        LONG.replace(" ", "   "),
        LONG.replace(" ", "\t"),
        LONG.replace("\n", "\n\n"),
        LONG.removesuffix("\n"),
        LONG.replace("500 900 0", "500 900"),
    ],
)
def test_fast_and_general_parsers_read_the_same_meshes(text: str) -> None:
    fast = read_plain(text.encode())
    assert fast is not None
    for one, other in zip(fast, _parsed(text), strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
        assert one.flags.c_contiguous


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("3 0 1 2", "3 0 0x1 2"),
        PLAIN.replace("1 1 0", "1 0x1 0"),
        PLAIN.replace("1 1 0", '"1" 1 0'),
        PLAIN.replace("1 1 0", "1  0"),
        PLAIN.replace("1 1 0", "nan 1"),
        PLAIN.replace("3 0 1 2", "3 0 1 2.0"),
        PLAIN.replace("3 0 1 2", "4 0 1 2 3"),
        PLAIN.replace("3 0 1 2", "3 0 1"),
        PLAIN.replace("4 2 0", "5 2 0"),
        PLAIN.replace("4 2 0", "4 1 0"),
        PLAIN.replace("4 2 0", "0 2 0"),
        PLAIN.replace("4 2 0", "4 99999999999999999999 0"),
        PLAIN.replace("OFF", "COFF"),
        PLAIN.replace("\n", "\n# a comment\n"),
        "\ufeff" + PLAIN,
        "OFF",
        "",
    ],
)
def test_everything_else_is_left_to_the_reader_that_words_errors(text: str) -> None:
    assert read_plain(text.encode()) is None


def test_zero_area_is_found_though_areas_are_looked_at_in_portions(tmp_path: Path) -> None:
    flat = "3 0 1 1\n" * 2500
    with pytest.raises(UserError, match="the surface has no area"):
        read_mesh(mesh_file(tmp_path, f"OFF\n4 2500 0\n{SQUARE}{flat}"))
    vertices, faces = read_mesh(mesh_file(tmp_path, f"OFF\n4 2502 0\n{SQUARE}{flat}{TRIANGLES}"))
    assert (len(vertices), len(faces)) == (4, 2502)
