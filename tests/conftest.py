"""What all tests share: a cache of their own, and where the real data is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same tests of readers run with a few inputs each time, and with very many by `make fuzz`, which sets this
FUZZING = "NACBENCH_FUZZ" in os.environ
SLOW = [
    HealthCheck.too_slow,
    HealthCheck.function_scoped_fixture,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
]
settings.register_profile("quick", max_examples=30, deadline=None, derandomize=True, suppress_health_check=SLOW)
settings.register_profile("fuzz", max_examples=2500, deadline=None, suppress_health_check=SLOW, print_blob=True)

REPOSITORY = Path(__file__).resolve().parents[1]
MIRROR = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded data of this test session, so that no test depends on what an earlier session left."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NACBENCH_CACHE", str(folder))
        patch.delenv("NACBENCH_DATA", raising=False)
        yield folder


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
