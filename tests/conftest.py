"""What all tests share: a cache of their own, and where the real data is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FUZZING = int(os.environ.get("NACBENCH_FUZZ", "0"))  # inputs of each test of a reader; set by `make fuzz`

REPOSITORY = Path(__file__).resolve().parents[1]
MIRROR = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded data of this test session, so that no test depends on what an earlier session left."""
    folder = tmp_path_factory.mktemp("cache")
    # One build for all workers of the session; without workers, for this one
    base = tmp_path_factory.getbasetemp()
    kernels = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kernels"
    kernels.mkdir(exist_ok=True)
    (folder / "kernels").symlink_to(kernels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NACBENCH_CACHE", str(folder))
        patch.delenv("NACBENCH_DATA", raising=False)
        yield folder


@pytest.fixture(autouse=True, scope="module")
def own_plugins() -> Iterator[None]:
    """Plug-ins from files end with the module that loaded them, so that no test sees those of another module."""
    from nacbench.registry import MODELS, PROTOCOLS, TASKS

    yield
    for registry in (TASKS, MODELS, PROTOCOLS):
        registry.forget_files()


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The mirror of real data sets; tests that need it are skipped where it is not."""
    if not MIRROR.is_dir():
        pytest.skip(f"no real data in {MIRROR}")
    return MIRROR


@pytest.fixture(scope="session")
def made_mirror(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror with a made miniature of every real data set."""
    from .miniatures import make_mirror

    root = tmp_path_factory.mktemp("mirror")
    make_mirror(root)
    return root
