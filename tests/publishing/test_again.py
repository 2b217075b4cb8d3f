"""The command of a card begins with a network of the same shape, whatever its settings are."""

from pathlib import Path

import pytest

from nacbench.plugin_files import load_plugin_file
from nacbench.publishing.again import shape_of
from nacbench.running.resolve import parse_setting, resolve

from ..test_registry import forget_plugins, write

__all__ = ["forget_plugins"]  # a fixture

MODEL = """
from dataclasses import dataclass
from nacbench import Model


@dataclass(frozen=True, kw_only=True)
class Mine(Model):
    title = "Mine"
    word: str = "usual"

    def build(self, spec):
        raise AssertionError("nothing is built")
"""


@pytest.mark.parametrize("word", ["plain", "01", "", "a: b", "null", "[", "'", "two\nlines", "naïve"])
def test_text_that_yaml_would_take_for_something_else_is_typed_in_quotes(tmp_path: Path, word: str) -> None:
    load_plugin_file(write(tmp_path / "mine.py", MODEL))
    config = resolve({"task": "digits", "model": {"name": "mine", "word": word}, "scale": "smoke"})
    (typed,) = shape_of(config)
    again = resolve({"task": "digits", "model": "mine", "scale": "smoke"}, parse_setting(typed))
    assert again.model.options == {"word": word}
    assert (typed == f"model.word={word}") == (word in ("plain", "naïve"))
