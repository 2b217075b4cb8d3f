"""What a plug-in's class from outside gets wrong is one line that names it, before anything is computed."""

from pathlib import Path
from typing import Any

import pytest

from nacbench import registry
from nacbench.errors import UserError
from nacbench.plugin_class import wrong_class
from nacbench.plugin_files import load_plugin_file
from nacbench.running.resolve import resolve

from .test_registry import forget_plugins, write

__all__ = ["forget_plugins"]  # a fixture

HEAD = """
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar
import threading
from pydantic import Field
from nacbench import ImageRecipe, ImageTask, Model
if TYPE_CHECKING:
    from decimal import Decimal

"""
MODEL = """@dataclass(frozen=True, kw_only=True)
class Mine(Model):
    title = "Mine"
    presets = {"tiny": {"width": 8}}
    width: int = 16

    def build(self, spec):
        raise AssertionError("nothing is built")
"""
TASK = """@dataclass(frozen=True, kw_only=True)
class Mine(ImageTask):
    title = "Mine"
    classes = 2
    licence = citation = provenance = "none"
    shape = (1, 8, 8)
    mean = std = (0.5,)
    recipes = {scale: ImageRecipe(epochs=1, batch_size=8, lr=1e-3) for scale in ("smoke", "mini", "paper")}

    def arrays(self, data_root):
        raise AssertionError("nothing is read")
"""
NO_OPTION = "class Mine has width, which is no option: give it a type, as in width: int = 64, and write @dataclass"
DECORATOR = "@dataclass(frozen=True, kw_only=True)\n"
MODELS = {
    "no decorator": (DECORATOR, "", NO_OPTION),
    "no type": ("width: int", "width", NO_OPTION),
    "a type of another library": ("width: int", "lock: threading.Thread = None; width: int", "whose type cannot be"),
    "a type for type checkers alone": ("width: int", 'much: "Decimal" = 1; width: int', "'Decimal' is not defined"),
    "a type that is not written to its end": (
        "width: int",
        "much: 'list[int' = 1; width: int",
        "expression -- got 'list",
    ),
    "a pattern that is none": (
        "width: int",
        "much: Annotated[str, Field(pattern='[')] = ''; width: int",
        "whose type cannot be checked .*unclosed character class",
    ),
    "an option called name": ("width: int", "name: str = ''; width: int", "has an option called name, which is what a"),
    "an option called size": ("width: int", "size: int = 3; width: int", "has an option called size, which is what a"),
    "no default": ("width: int = 16", "width: int", "has an option width without a default"),
    "reads": (
        "width: int",
        "reads = 'images'; width: int",
        "sets reads = 'images', which should be 'tokens' or 'image'",
    ),
    "arguments": ("(self, spec)", "(self)", r"has a method build\(self\), and should have build\(self, spec\)"),
    "called on the class": (
        "    def build",
        "    def missing(self):\n        return None\n\n    def build",
        "has a method missing, which is called on the class: write @classmethod above it",
    ),
    "no self": ("(self, spec)", "(spec)", r"has a method build\(spec\), and should have build\(self, spec\)"),
}
TASKS = {
    "shape": ("(1, 8, 8)", "(8, 8)", r"sets shape = \(8, 8\), which should be tuple\[int, int, int\]"),
    "mean": ("(0.5,)", "0.5", r"sets mean = 0.5, which should be tuple\[float, ...\]"),
    "recipes": ("{scale: ImageRecipe", "[ImageRecipe", r"recipes = .*, which should be Mapping\[Scale, ImageRecipe\]"),
    "origin": ("    classes", "    origin = 'me'\n    classes", "sets origin = 'me', which should be Origin"),
    "sizes": ("    classes", "    sizes = {'smoke': 'tiny'}\n    classes", "sets sizes = .*, which should be Mapping"),
    "no size": (
        "    classes",
        "    sizes = {'mini': ('mini',)}\n    classes",
        "names no size of models for scale 'smoke'",
    ),
    "targets": ("    classes", "    targets = 'one'\n    classes", "'one', which should be 'classes' or 'labels' or"),
    "a value": (
        "    def arrays",
        "    data_files = ()\n    def arrays",
        "has a tuple data_files, and should have a method",
    ),
    "arguments": (
        "(self, data_root)",
        "(self)",
        r"has a method arrays\(self\), and should have arrays",
    ),
    "an undecorated option": (DECORATOR, "", "class Mine has share, which is no option"),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_is_wrong_with_a_model_is_one_line(tmp_path: Path, name: str) -> None:
    old, new, message = MODELS[name]
    assert old in MODEL
    load_plugin_file(write(tmp_path / "mine.py", HEAD + MODEL.replace(old, new)))
    with pytest.raises(UserError, match=message):
        resolve({"task": "digits", "model": "mine", "scale": "smoke"})


@pytest.mark.parametrize("name", TASKS)
def test_what_is_wrong_with_a_task_is_one_line(tmp_path: Path, name: str) -> None:
    old, new, message = TASKS[name]
    assert old in TASK
    code = TASK.replace(old, new).replace("for scale in ", "]#" if name == "recipes" else "for scale in ")
    if name == "an undecorated option":
        code += "    share: float = 0.5\n"
    load_plugin_file(write(tmp_path / "mine.py", HEAD + code))
    with pytest.raises(UserError, match=message):
        resolve({"task": "mine", "model": "nac", "scale": "smoke"})


@pytest.mark.parametrize("registry", [registry.TASKS, registry.MODELS, registry.PROTOCOLS], ids=lambda one: one.kind)
def test_nothing_is_wrong_with_what_is_built_in(registry: Any) -> None:
    loaded, _ = registry.load_all()
    assert loaded
    assert {name: wrong for name, cls in loaded.items() if (wrong := wrong_class(cls, registry.kind))} == {}


def test_what_a_base_class_allows_is_no_mistake(tmp_path: Path) -> None:
    """Lists and NumPy's numbers for tuples, properties, a class without options of its own, arguments with defaults."""
    code = TASK.replace(DECORATOR, "").replace("mean = std = (0.5,)", "mean = std = numpy.array([0.5], numpy.float32)")
    code = code.replace("shape = (1, 8, 8)", "shape = property(lambda self: (1, 8, 8)); seen: ClassVar[int] = 0")
    code = code.replace("(self, data_root)", "(self, place, *more, again=False)")
    load_plugin_file(write(tmp_path / "mine.py", f"import numpy\n{HEAD}{code}"))
    load_plugin_file(write(tmp_path / "other.py", HEAD + MODEL.replace("(self, spec)", "(self, *anything)")))
    config = resolve({"task": "mine", "model": "other", "scale": "smoke"})
    assert config.model.options == {"width": 8}


def test_a_task_that_overrides_a_method_has_all_its_protocols(tmp_path: Path) -> None:
    """What a protocol derives from it overrides the method again, with arguments that are no contract for the task."""
    code = f"{TASK}\n    def build(self, data_root, recipe):\n        return super().build(data_root, recipe)\n"
    load_plugin_file(write(tmp_path / "mine.py", HEAD + code))
    for name in ("mine", "mine-tuning", "mine-pruned"):
        assert registry.TASKS.get(name).__name__
