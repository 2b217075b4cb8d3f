"""Import our libraries, not files of the user's folder that happen to have their names.

In a script, a notebook and the interactive Python, the user's folder comes first on the path: a ``yaml.py`` there would
be imported wherever this package imports PyYAML. See `guard_libraries`.
"""

import importlib
import os
import sys

# what this package imports of others, by the names that stand in import statements; a test keeps it complete
LIBRARIES = (
    "PIL",
    "accelerate",
    "datasets",
    "huggingface_hub",
    "jinja2",
    "markupsafe",
    "matplotlib",
    "networkx",
    "numpy",
    "pandas",
    "perceiver_pytorch",
    "pooch",
    "pyarrow",
    "pydantic",
    "pynvml",
    "rich",
    "safetensors",
    "scipy",
    "seaborn",
    "sklearn",
    "submitit",
    "torch",
    "torch_geometric",
    "torchvision",
    "typer",
    "yaml",
)


def guard_libraries() -> None:
    """Import each library whose name a file of the user's folder has, with that folder off the path.

    Where nothing clashes, nothing is imported, so that it costs a look into a folder or two.

    Raises:
        ImportError: if the user's file has been imported under the library's name already; names the file.
    """
    folders = _users_folders()
    for name in LIBRARIES:
        file = next(filter(None, (_file_of(name, folder) for folder in folders)), None)
        if file is None:
            continue
        known = getattr(sys.modules.get(name), "__file__", None)
        if known is None:
            _import_from_elsewhere(name, folders)
        elif os.path.realpath(known) == os.path.realpath(file):
            raise ImportError(
                f"{file} has been imported as {name!r}, in place of the library that nacbench needs; "
                f"rename the file, or import nacbench's functions before it"
            )


def _users_folders() -> list[str]:
    """Return the entries of the path that are there because the user's script lies, or works, in them."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    own = {os.path.realpath(""), *([os.path.dirname(os.path.realpath(script))] if script else [])}  # noqa: PTH120
    return [entry for entry in sys.path if os.path.realpath(entry) in own]


def _file_of(name: str, folder: str) -> str | None:
    """Return the file by which a folder would give a module of this name; a folder without __init__.py gives none."""
    files = (os.path.join(folder, f"{name}.py"), os.path.join(folder, name, "__init__.py"))  # noqa: PTH118
    return next(filter(os.path.isfile, files), None)


def _import_from_elsewhere(name: str, folders: list[str]) -> None:
    path = list(sys.path)
    sys.path[:] = [entry for entry in path if entry not in folders]
    try:
        importlib.import_module(name)
    except ImportError:
        pass  # not installed: what needs it says so
    finally:
        sys.path[:] = path
