"""Generated objects: sound meshes, varied within their families, and a task that is neither trivial nor impossible."""

from functools import cache

import numpy as np
import pytest

from nacbench.data.points import shape_parts
from nacbench.data.points.meshes import sample_surface
from nacbench.data.points.shapes import FAMILIES, generate, make_mesh


@cache
def made(per_family: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return generate(per_family, 256, seed)


def volume(mesh: shape_parts.Mesh) -> float:
    """Of a closed mesh; positive if its faces look outwards."""
    vertices, faces = mesh
    return float(np.linalg.det(vertices[faces]).sum()) / 6


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_makes_valid_meshes(family: str) -> None:
    for seed in range(50):
        vertices, faces = make_mesh(family, np.random.default_rng(seed))
        assert vertices.dtype == np.float32
        assert faces.dtype == np.int64
        assert (vertices.shape[1:], faces.shape[1:]) == ((3,), (3,))
        assert np.isfinite(vertices).all()
        assert faces.min() >= 0
        assert faces.max() < len(vertices)
        assert len(sample_surface(vertices, faces, 1, seed=0)) == 1
        width, depth, height = np.ptp(vertices, axis=0)
        assert min(width, depth, height) > 0.01
        assert max(width, depth, height) < 4


@pytest.mark.parametrize(
    ("family", "least", "most"),
    [
        ("chair", 0.4, 2.0),
        ("table", 0.2, 1.4),
        ("lamp", 0.15, 2.3),
        ("cup", 0.02, 0.35),
        ("bottle", 0.07, 0.45),
        ("bed", 0.1, 3.0),
        ("shelf", 0.25, 2.6),
        ("stool", 0.15, 1.5),
        ("sofa", 0.25, 1.7),
        ("vase", 0.05, 1.6),
    ],
)
def test_objects_stand_on_the_ground_with_plausible_height(family: str, least: float, most: float) -> None:
    for seed in range(50):
        z = make_mesh(family, np.random.default_rng(seed))[0][:, 2]
        assert least < np.ptp(z) < most
        assert abs(z.min()) < 0.05 * np.ptp(z)


@pytest.mark.parametrize("family", FAMILIES)
def test_objects_of_a_family_vary(family: str) -> None:
    meshes = [make_mesh(family, np.random.default_rng(seed)) for seed in range(30)]
    assert len({tuple(np.ptp(vertices, axis=0)) for vertices, _ in meshes}) == 30
    assert len({len(faces) for _, faces in meshes}) > 3


@pytest.mark.parametrize("family", FAMILIES)
def test_mesh_depends_on_the_generator_only(family: str) -> None:
    first, again = (make_mesh(family, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_unknown_family_is_refused() -> None:
    with pytest.raises(KeyError, match="elephant"):
        make_mesh("elephant", np.random.default_rng(0))


def test_clouds_are_in_the_unit_ball_and_families_take_turns() -> None:
    points, labels = made()
    assert points.shape == (400, 256, 3)
    assert points.dtype == np.float32
    assert labels.dtype == np.int16
    assert labels.tolist() == list(range(10)) * 40
    np.testing.assert_allclose(points.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1).max(axis=1), 1, atol=1e-6)
    assert len({cloud.tobytes() for cloud in points}) == len(points)


def test_smaller_set_is_the_beginning_of_a_larger_one() -> None:
    points, labels = generate(3, 256, seed=0)
    assert np.array_equal(points, made()[0][:30])
    assert np.array_equal(labels, made()[1][:30])


def test_seed_changes_every_object() -> None:
    points, _ = generate(2, 256, seed=1)
    assert all(not np.allclose(ours, theirs) for ours, theirs in zip(points, made()[0], strict=False))


def test_empty_set() -> None:
    points, labels = generate(0, 16, seed=0)
    assert (points.shape, labels.shape) == ((0, 16, 3), (0,))


def test_number_of_points_does_not_change_the_object() -> None:
    few, _ = generate(2, 512, seed=0)
    many, _ = generate(2, 8192, seed=0)
    for ours, theirs in zip(few, many, strict=True):
        assert np.abs(np.quantile(ours, 0.9, axis=0) - np.quantile(theirs, 0.9, axis=0)).max() < 0.2


def outline(clouds: np.ndarray) -> np.ndarray:
    """How many points are how far from the vertical axis and how high: N×64. It does not change when objects turn."""
    radius, height = np.linalg.norm(clouds[..., :2], axis=-1), clouds[..., 2]
    cells = (radius * 8).astype(int).clip(0, 7) * 8 + ((height + 1) * 4).astype(int).clip(0, 7)
    return np.stack([np.bincount(own, minlength=64) for own in cells]).astype(float)


def distances(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    squares: np.ndarray = ((ours[:, None] - theirs) ** 2).sum(axis=-1)
    return squares


def test_simple_classifiers_are_between_chance_and_perfect() -> None:
    (train, labels), (test, target) = made(), made(20, seed=1)
    known, asked = outline(train), outline(test)
    means = np.stack([known[labels == label].mean(axis=0) for label in range(10)])
    assert 0.4 < (distances(asked, means).argmin(axis=1) == target).mean() < 0.75
    assert 0.5 < (labels[distances(asked, known).argmin(axis=1)] == target).mean() < 0.85


def test_every_family_is_confused_with_others_sometimes() -> None:
    (train, labels), (test, target) = made(), made(20, seed=1)
    found = labels[distances(outline(test), outline(train)).argmin(axis=1)]
    hits = np.array([(found[target == label] == label).mean() for label in range(10)])
    assert hits.min() > 0.2
    mistakes = {(int(a), int(b)) for a, b in zip(target, found, strict=True) if a != b}
    assert {label for pair in mistakes for label in pair} == set(range(10))


def test_solids_are_closed_and_have_their_volume() -> None:
    assert abs(volume(shape_parts.box(2, 3, 4))) == pytest.approx(24)
    polygon = 24 * np.sin(2 * np.pi / 24) / (2 * np.pi)  # its area as a share of the circle's
    assert abs(volume(shape_parts.cylinder(2, 5, (1, 2, 3)))) == pytest.approx(20 * np.pi * polygon)
    cone = shape_parts.cylinder(2, 6, top=0)
    assert abs(volume(cone)) == pytest.approx(8 * np.pi * polygon)
    torus = shape_parts.ring(3, 1)
    octagon = 8 * np.sin(2 * np.pi / 8) / 2 / 4
    assert abs(volume(torus)) == pytest.approx(2 * np.pi * 3 * octagon * polygon)
    for mesh in (cone, torus, shape_parts.cushion(1, 1, 1), shape_parts.box(1, 1, 1)):
        _, faces = mesh
        edges = {(int(a), int(b)) for face in faces for a, b in zip(face, np.roll(face, -1), strict=True)}
        assert len(edges) == 3 * len(faces), "two faces go along an edge in the same direction"
