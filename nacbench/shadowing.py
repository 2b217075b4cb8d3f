"""Guard against shadowed imports: import libraries, not files in the user's folder with the same names.

In scripts, notebooks and the interactive Python, the user's folder comes first on ``sys.path``, so that a ``yaml.py``
there would be imported instead of PyYAML. See `guard_libraries`.
"""

import importlib
import os
import sys

# import names of all libraries that nacbench imports; a test checks that the list is complete
LIBRARIES = (
    "PIL",
    "accelerate",
    "datasets",
    "h5py",
    "huggingface_hub",
    "jinja2",
    "joblib",
    "mambapy",
    "markupsafe",
    "matplotlib",
    "mlflow",
    "networkx",
    "numpy",
    "optuna",
    "pandas",
    "perceiver_pytorch",
    "pooch",
    "pyarrow",
    "pydantic",
    "pydantic_core",
    "pynvml",
    "rich",
    "safetensors",
    "scipy",
    "seaborn",
    "sklearn",
    "slot_attention",
    "soft_moe_pytorch",
    "submitit",
    "tensorboard",
    "timm",
    "torch",
    "torch_geometric",
    "torchvision",
    "trackio",
    "triton",
    "typer",
    "wandb",
    "yaml",
)


def guard_libraries() -> None:
    """Import each library whose name is also a file in the user's folder, with that folder removed from ``sys.path``.

    Without a clash nothing is imported; the cost is a look into one or two folders.

    Raises:
        ImportError: if the user's file has been imported under the library's name already; the message names the file.
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
                f"{file} has been imported as {name!r}, instead of the library that nacbench needs; "
                f"rename the file, or import nacbench's functions before it"
            )


def _users_folders() -> list[str]:
    """Return the entries of ``sys.path`` that are the script's folder or the working folder."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    own = {os.path.realpath(""), *([os.path.dirname(os.path.realpath(script))] if script else [])}  # noqa: PTH120
    return [entry for entry in sys.path if os.path.realpath(entry) in own]


def _file_of(name: str, folder: str) -> str | None:
    """Return the file that Python would import from a folder under this name.

    A subfolder without ``__init__.py`` does not count: Python prefers regular packages later on the path.
    """
    files = (os.path.join(folder, f"{name}.py"), os.path.join(folder, name, "__init__.py"))  # noqa: PTH118
    return next(filter(os.path.isfile, files), None)


def _import_from_elsewhere(name: str, folders: list[str]) -> None:
    path = list(sys.path)
    sys.path[:] = [entry for entry in path if entry not in folders]
    try:
        importlib.import_module(name)
    except ImportError:
        pass  # not installed: the code that needs it raises a better error
    finally:
        sys.path[:] = path
