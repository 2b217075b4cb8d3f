"""What all tasks share whose examples are arrays: which examples are used, and the way from arrays to a live task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.plugin import Limit
from nacbench.contracts.recipe import Recipe
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Scale, Task
from nacbench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.live import Classification, Preparation, Split
    from nacbench.data.mirror.cache import Arrays

CLASS_NAMES = "class_names"  # an array beside the examples where only some classes may have been found


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayTask(Task):
    """A classification task on arrays; a modality says how they become tokens, a concrete task where they come from.

    Attributes:
        train_examples: use only so many training examples, evenly over the split; 0: all.
        validation_examples: hold out so many training examples, evenly, as validation; 0: the data's own, if any.
        test_examples: use only so many test examples, evenly over the split; 0: all.
        inputs: names of the arrays that make an example, without the split.
        full_sizes: published number of examples of a split, where a copy could have fewer.
        example_name: what an example is called in the line that says so.
    """

    inputs: ClassVar[tuple[str, ...]]
    full_sizes: ClassVar[Mapping[str, int]] = {}
    example_name: ClassVar[str] = "examples"
    recipes: ClassVar[Mapping[Scale, Recipe]]

    train_examples: Limit = 0
    validation_examples: Limit = 0
    test_examples: Limit = 0

    def arrays(self, data_root: Path) -> Arrays:
        """For each input ``train_<input>``, with ``train_labels``; the same for ``test``, maybe ``validation``.

        ``class_names`` says which classes were found, where not all of them need be there.
        """
        raise TypeError(f"{type(self).__name__} must define arrays(data_root)")

    def preparation(self, recipe: Any, spec: TaskSpec) -> Preparation:
        """From stored arrays to what the tokenizer takes."""
        raise TypeError(f"{type(self).__name__} must define preparation(recipe, spec)")

    def fingerprint(self, data_root: Path) -> str:
        return self.arrays(data_root).fingerprint

    def splits(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Split]:
        """The examples that are used, by split."""
        from nacbench.data.live import Split

        splits = {
            name: Split({i: arrays[f"{name}_{i}"] for i in self.inputs}, arrays[f"{name}_labels"])
            for name in ("train", "validation", "test")
            if f"{name}_labels" in arrays
        }
        if self.validation_examples:
            splits["train"], splits["validation"] = splits["train"].hold_out(self.validation_examples)
        for name, limit in (("train", self.train_examples), ("test", self.test_examples)):
            if limit:
                splits[name] = splits[name].spread(limit)
        return splits

    def build(self, data_root: Path, recipe: Recipe) -> Classification:
        from nacbench.data.live import Classification

        arrays = self.arrays(data_root).arrays
        splits = self.splits(arrays)
        if recipe.selection == "best-validation" and "validation" not in splits:
            raise UserError(
                "training.selection = 'best-validation' needs a validation split; "
                "hold some examples out with --set task.validation_examples=5000, or select 'last'"
            )
        spec = self.found_spec(arrays)
        preparation = self.preparation(recipe, spec)
        return Classification(spec, splits, recipe, preparation, self.shortages(arrays), **self.sampling(recipe))

    def sampling(self, recipe: Any) -> dict[str, int]:
        """``repeats`` and ``visits`` of `nacbench.data.live.TrainBatches`."""
        return {}

    def found_spec(self, arrays: Mapping[str, np.ndarray]) -> TaskSpec:
        """The spec with as many classes as were found."""
        found = len(arrays[CLASS_NAMES]) if CLASS_NAMES in arrays else self.classes
        return dataclasses.replace(self.spec(), classes=found)

    def shortages(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        """How the data that was found is less than the whole data set: the number is then another task's.

        What counts are the labels that occur, not the names that a file's head may list; and where all classes are
        there, the number of examples. Options that use fewer are no shortage: they are in the configuration.
        """
        import numpy as np

        found = len(np.unique(arrays["train_labels"]))
        if found < self.classes:
            return [f"{found} of {self.classes} classes"]
        sizes = {split: (len(arrays[f"{split}_labels"]), full) for split, full in self.full_sizes.items()}
        return [
            f"{some:,} of {full:,} {split} {self.example_name}" for split, (some, full) in sizes.items() if some < full
        ]


def whole_labels(values: Any, classes: int) -> np.ndarray:
    """Labels as int16, checked as they are stored: a cast would fold a wrong one into the range.

    Raises:
        ValueError: names the first that is not a whole number of one of the classes.
    """
    import numpy as np

    labels = np.asarray(values)
    if not np.issubdtype(labels.dtype, np.integer):  # text, or a column with gaps
        wrong = next((v for v in labels.tolist() if not isinstance(v, int)), labels.dtype)
        raise ValueError(f"label {wrong!r} is not a whole number")
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise ValueError(f"label {outside[0]} is not one of {classes} classes")
    return labels.astype(np.int16)
