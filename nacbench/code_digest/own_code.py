"""Own code of a plug-in from outside nacbench: which of the modules that it imports belong to it."""

import importlib.util
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Libraries that count by their versions in the record, even where one is a checkout (torch, built from source)
LIBRARIES = frozenset(
    ("torch", "torchvision", "torch_geometric", "accelerate", "timm", "datasets", "numpy", "pandas", "pyarrow", "scipy")
)
_STANDARD_LIBRARY = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}


@dataclass(frozen=True)
class OwnCode:
    """Location of the code that belongs to a plug-in from outside nacbench.

    Attributes:
        folders: folders whose top-level modules and packages belong to the plug-in, if Python imports them from there.
        packages: names that these are restricted to (of one distribution in site-packages); None for any name.
        anywhere: whether modules that Python finds elsewhere belong to it, too, if they are not installed: by
            ``PYTHONPATH``, by a path that the plug-in adds to ``sys.path``, or as a checkout.
    """

    folders: tuple[Path, ...] = ()
    packages: frozenset[str] | None = None
    anywhere: bool = False

    def has(self, name: str, place: Path) -> bool:
        """Return whether a top-level module that Python imports from this folder belongs to the plug-in."""
        if place in self.folders:
            return self.packages is None or name in self.packages
        return self.anywhere and name not in LIBRARIES and not is_installed(place)


NO_OWN_CODE = OwnCode()


def own_code_of(module: str, folders: Iterable[Path] = (), packages: Iterable[str] = ()) -> OwnCode:
    """Return the location of the code that belongs to a plug-in, or to other code from outside nacbench.

    Args:
        module: in which it is defined.
        folders: others that plug-ins may import from.
        packages: names of the other packages and modules of its distribution.
    """
    top = module.partition(".")[0]
    place = place_of(top)
    if top == __name__.partition(".")[0] or place is None:
        return NO_OWN_CODE
    if not is_installed(place):  # a checkout or a plug-in file: everything beside it may be its own
        return OwnCode(tuple(dict.fromkeys((place, *folders))), anywhere=True)
    # In site-packages, modules beside it are mostly of other distributions, so only those of its own count
    return OwnCode((place,), frozenset({top, *packages}), anywhere=True)


def place_of(name: str) -> Path | None:
    """Return the folder that Python imports a top-level module from, or None (not found, or built into Python)."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # ValueError: a loaded module whose __spec__ is None, such as __main__
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve().parent
    return Path(spec.origin).resolve().parent if spec.has_location and spec.origin else None


def is_installed(folder: Path) -> bool:
    """Return whether a folder holds installed libraries, or Python's own modules, rather than someone's own code."""
    return not {"site-packages", "dist-packages"}.isdisjoint(folder.parts) or folder in _STANDARD_LIBRARY
