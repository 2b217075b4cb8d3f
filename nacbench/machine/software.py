"""What a record says of the software that computed a number."""

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nacbench

LIBRARIES = (
    "torch",
    "torchvision",
    "accelerate",
    "perceiver-pytorch",
    "torch-geometric",
    "datasets",
    "numpy",
    "scikit-learn",
    "scipy",
)


def library_versions() -> dict[str, str]:
    """Versions of nacbench and of the libraries that a number can depend on."""
    versions = {"nacbench": nacbench.__version__}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


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
