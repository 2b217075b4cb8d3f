"""What a record says of the software that computed a number."""

import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from pathlib import Path

import nacbench

# Libraries that make a network or its numbers.
LIBRARIES = (
    "torch",
    "torchvision",
    "accelerate",
    "perceiver-pytorch",
    "torch-geometric",
    "timm",
    "mambapy",
    "slot-attention",
    "soft-moe-pytorch",
    "datasets",
    "pyarrow",
    "numpy",
    "pillow",
    "scikit-learn",
    "scipy",
)


def library_versions() -> dict[str, str]:
    """Return the versions of nacbench, of ``LIBRARIES``, and of the distributions of plug-ins that are loaded."""
    versions = {"nacbench": nacbench.__version__}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    loaded = {name: distribution for name, distribution in _plugin_distributions().items() if name in sys.modules}
    return versions | {distribution.name: distribution.version for distribution in loaded.values()}


def other_versions(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return the libraries whose versions differ, with both; ``—`` for one that is missing."""
    return {
        name: (then.get(name, "—"), now.get(name, "—"))
        for name in dict.fromkeys([*then, *now])
        if then.get(name) != now.get(name)
    }


def distribution_of(package: str) -> Distribution | None:
    """Return the installed distribution that offers plug-ins from a top-level package of this name."""
    return _plugin_distributions().get(package)


@cache
def _plugin_distributions() -> dict[str, Distribution]:
    """Return by top-level package the distributions whose entry points offer plug-ins, without nacbench's own."""
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        for point in distribution.entry_points:
            if point.group.startswith("nacbench.") and not point.module.startswith("nacbench."):
                found.setdefault(point.module.partition(".")[0], distribution)
    return found


@cache
def git_state() -> tuple[str | None, bool | None]:
    """Commit of the checkout that nacbench runs from, and whether it has changes; (None, None) for an installed one."""
    root = Path(nacbench.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None, None
    try:
        commit = _git(root, "rev-parse", "HEAD").strip()
        return commit, bool(_git(root, "status", "--porcelain", "--untracked-files=no").strip())
    except (OSError, subprocess.SubprocessError):
        return None, None


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603 (whatever git the user has)
        ["git", "-C", str(root), *arguments],  # noqa: S607
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    ).stdout


def python_and_platform() -> tuple[str, str]:
    """Version of Python, and the operating system with its version and machine."""
    return platform.python_version(), platform.platform()
