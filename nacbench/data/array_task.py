"""Base class of tasks whose examples are arrays: splits and limits, class labels, and the live task made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.given_arrays import Form, check_arrays, checked_arrays
from nacbench.contracts.numbers import Limit
from nacbench.contracts.recipe import Recipe
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Scale, Task
from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.live import Classification, Preparation, Split
    from nacbench.data.mirror.cache import Arrays

CLASS_NAMES = "class_names"  # array of the classes that were found, for data sets of which a copy may lack some


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayTask(Task):
    """A classification task on arrays. A modality defines the tokenizer, a concrete task reads or generates the arrays.

    Attributes:
        train_examples: use at most this many training examples, evenly spaced over the split; 0: all.
        validation_examples: hold out this many training examples, evenly spaced, for validation; 0: use the data's own
            validation split, if there is one.
        test_examples: use at most this many test examples, evenly spaced over the split; 0: all.
        inputs: names of the arrays of an example, without the split.
        full_sizes: published number of examples by split, for data sets of which a copy may have fewer.
        example_name: what an example is called in the line about missing ones.
    """

    inputs: ClassVar[tuple[str, ...]]
    full_sizes: ClassVar[Mapping[str, int]] = {}
    example_name: ClassVar[str] = "examples"
    recipes: ClassVar[Mapping[Scale, Recipe]]

    train_examples: Limit = 0
    validation_examples: Limit = 0
    test_examples: Limit = 0

    def arrays(self, data_root: Path) -> Arrays:
        """Return ``train_<input>`` for each input, and ``train_labels``; also for ``test`` and, if any, ``validation``.

        ``class_names`` lists the classes that were found, if some may be missing.
        """
        raise UserError(f"{type(self).__name__} must define arrays(data_root)")

    def preparation(self, recipe: Any, spec: TaskSpec) -> Preparation:
        """Return the conversion from stored arrays to the tokenizer's inputs."""
        raise UserError(f"{type(self).__name__} must define preparation(recipe, spec)")

    def forms(self) -> Mapping[str, Form | None]:
        """Return what each of ``inputs`` must hold; None if nothing is known of it."""
        return dict.fromkeys(self.inputs)

    def fingerprint(self, data_root: Path) -> str:
        fingerprint: str = checked_arrays(self, self.arrays(data_root)).fingerprint
        return fingerprint

    def splits(self, arrays: Mapping[str, np.ndarray]) -> dict[str, Split]:
        """Return the examples in use, by split."""
        from nacbench.data.live import Split

        splits = {
            name: Split({i: arrays[f"{name}_{i}"] for i in self.inputs}, arrays[f"{name}_labels"])
            for name in ("train", "validation", "test")
            if f"{name}_labels" in arrays
        }
        # First hold out, then limit: the validation examples do not depend on train_examples
        if self.validation_examples:
            splits["train"], splits["validation"] = splits["train"].hold_out(self.validation_examples)
        for name, limit in (("train", self.train_examples), ("test", self.test_examples)):
            if limit:
                splits[name] = splits[name].spread(limit)
        return splits

    def build(self, data_root: Path, recipe: Recipe) -> Classification:
        from nacbench.data.live import Classification

        arrays = checked_arrays(self, self.arrays(data_root)).arrays
        spec = self.found_spec(arrays)
        check_arrays(self, arrays, self.forms(), spec.classes)
        splits = self.splits(arrays)
        if recipe.selection == "best-validation" and "validation" not in splits:
            raise UserError(
                "training.selection = 'best-validation' needs a validation split; "
                "hold some examples out with --set task.validation_examples=5000, or select 'last'"
            )
        preparation = self.preparation(recipe, spec)
        return Classification(spec, splits, recipe, preparation, self.shortages(arrays), **self.sampling(recipe))

    def sampling(self, recipe: Any) -> dict[str, int]:
        """Return ``repeats`` and ``visits`` for `nacbench.data.live.TrainBatches`, where they are not 1."""
        return {}

    def found_spec(self, arrays: Mapping[str, np.ndarray]) -> TaskSpec:
        """Return the spec with the number of classes that were found."""
        found = len(arrays[CLASS_NAMES]) if CLASS_NAMES in arrays else self.classes
        return dataclasses.replace(self.spec(), classes=found)

    def shortages(self, arrays: Mapping[str, np.ndarray]) -> list[str]:
        """Describe what the data lacks of the whole data set, or has more: classes, or otherwise examples; a line each.

        Scores on partial data are not comparable with others. Options that limit the examples do not count: they are
        in the configuration.
        """
        import numpy as np

        # labels that occur, not class names: a file may list classes of which it has no example
        found = len(np.unique(arrays["train_labels"]))
        if found != self.classes:
            return [_portion(found, self.classes, "classes")]
        sizes = {split: (len(arrays[f"{split}_labels"]), full) for split, full in self.full_sizes.items()}
        return [
            _portion(some, full, f"{split} {self.example_name}")
            for split, (some, full) in sizes.items()
            if some != full
        ]


def _portion(some: int, full: int, what: str) -> str:
    return f"{some:,} of {full:,} {what}" if some < full else f"{some:,} {what}, more than the data set's {full:,}"


def whole_labels(values: Any, classes: int) -> np.ndarray:
    """Check that labels are integers in [0, classes), and return them as int16.

    Raises:
        ValueError: names the first wrong label.
    """
    import numpy as np

    # Checked before the cast, which would wrap a wrong label into the range
    labels = np.asarray(values)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):  # text, lists, or a column with gaps
        strange = [(n, v) for n, v in enumerate(labels.tolist()) if not isinstance(v, int)] or [(0, labels[0])]
        # One missing label (None, or NaN, which differs from itself) turns all numbers into floats: name that one
        number, wrong = next(((n, v) for n, v in strange if v is None or v != v), strange[0])
        raise ValueError(
            f"label {shown(wrong)} is not a whole number; labels are 0 to {classes - 1} (example {number})"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        wrong = labels[outside[0]]
        raise ValueError(
            f"label {wrong} is not one of {classes} classes; labels are 0 to {classes - 1} (example {outside[0]})"
        )
    return labels.astype(np.int16)
