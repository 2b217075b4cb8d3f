"""Base class of tasks whose examples are arrays: splits and limits, class labels, and the live task made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nacbench.contracts.given_arrays import Form, check_arrays, checked_arrays, form_of_labels
from nacbench.contracts.numbers import Limit
from nacbench.contracts.recipe import Recipe
from nacbench.contracts.spec import TaskSpec
from nacbench.contracts.task import Scale, Task
from nacbench.data.unreadable import unreadable_lines
from nacbench.errors import UserError, shown

if TYPE_CHECKING:
    import numpy as np

    from nacbench.data.live import Classification, Preparation, Split
    from nacbench.data.mirror.cache import Arrays

ALL_LABELS = "_all_labels"  # of a split of which the other arrays have only the examples in use
CLASS_NAMES = "class_names"  # array of the classes that were found, for data sets of which a copy may lack some


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArrayTask(Task):
    """A task on arrays. A modality defines the tokenizer, a concrete task reads or generates the arrays.

    Attributes:
        train_examples: use at most this many training examples, evenly spaced over the split; 0: all.
        validation_examples: hold out this many training examples, evenly spaced, for validation; 0: use the data's own
            validation split, if there is one.
        test_examples: use at most this many test examples, evenly spaced over the split; 0: all.
        inputs: names of the arrays of an example, without the split.
        class_names: names of the classes by number, where they are the same in every copy of the data.
        raw_dimensions: of the array that is the raw input of one example; 0 if it is no array.
        needs: names of arrays without a split that `example` looks things up in, such as a vocabulary.
        full_sizes: published number of examples by split, for data sets of which a copy may have fewer or more.
        example_name: what an example is called in the line about missing ones.
    """

    inputs: ClassVar[tuple[str, ...]]
    class_names: ClassVar[Sequence[str]] = ()
    raw_dimensions: ClassVar[int] = 0
    needs: ClassVar[Sequence[str]] = ()
    full_sizes: ClassVar[Mapping[str, int]] = {}
    example_name: ClassVar[str] = "examples"
    recipes: ClassVar[Mapping[Scale, Recipe]]

    train_examples: Limit = 0
    validation_examples: Limit = 0
    test_examples: Limit = 0

    @classmethod
    def wrong_fact(cls) -> str | None:
        if wrong := super().wrong_fact():
            return wrong
        if isinstance(cls.inputs, str):
            return f"sets inputs = {shown(cls.inputs)}, and should set a tuple of names"
        names = cls.class_names
        if names and (isinstance(names, str) or len(names) != cls.classes or len(set(names)) < len(names)):
            return f"sets class_names = {shown(names)}, and should name each of its {cls.classes} classes once"
        return None

    def arrays(self, data_root: Path) -> Arrays:
        """Return ``train_<input>`` for each input, and ``train_labels``; also for ``test`` and, if any, ``validation``.

        Labels are class indices N; if ``targets`` are ``labels``, 0 and 1, N×classes; if they are ``values``,
        floating-point numbers N×classes.

        ``class_names`` lists the classes that were found, if some may be missing.
        """
        raise UserError(f"{type(self).__name__} must define arrays(data_root)")

    def example(self, raw: Any, known: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """Return a raw input of one example as `arrays` stores it: by the name of the input, without split and N.

        A reader of the data does the same with what it reads: both call one function.

        Args:
            raw: what a user has, such as an image, a text, or a tuple of several. It can be anything.
            known: the arrays in ``needs``.

        Raises:
            UserError: names what is wrong with the input: its type, shape, range …
        """
        raise UserError(
            f"{self.title} does not say how a raw input becomes an example, so nothing can be predicted; its task must "
            "define example(raw, known)"
        )

    def batch_of(self, raw: Any) -> Sequence[Any] | None:
        """Return the raw inputs of several examples one by one; None if ``raw`` is that of one.

        A list is always a batch, and so is what has one dimension more than ``raw_dimensions``: an array of images, of
        texts, or a column of a data frame.
        """
        is_batch = isinstance(raw, list) or getattr(raw, "ndim", None) == self.raw_dimensions + 1
        return list(raw) if is_batch else None

    def limit(self, split: str) -> int:
        """Return how many examples of a split are used at most, evenly spaced; 0: all.

        It is for readers that make or decode these alone. All are needed to hold some out.
        """
        if self.validation_examples:
            return 0
        return {"train": self.train_examples, "test": self.test_examples}.get(split, 0)

    def in_use(self, split: str, size: int) -> np.ndarray:
        """Return the positions of the examples in use among ``size`` of a split, ascending; see `limit`."""
        from nacbench.data.sampling import evenly_spaced

        return evenly_spaced(size, self.limit(split) or size)

    def use_stamp(self) -> str:
        """Return what the stamp of arrays must hold that have the examples in use alone."""
        limits = {split: self.limit(split) for split in ("train", "test")}
        return f" {limits}" if any(limits.values()) else ""

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
        check_arrays(self, arrays, self.forms(), form_of_labels(spec))
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
        """Describe how the data differs from the whole data set, one line each.

        Scores on other data are not comparable. Options that limit the examples do not count: they are in the
        configuration.
        """
        return differences(arrays, self.classes, self.full_sizes, self.example_name)


def labels_in_use(split: str, labels: np.ndarray, used: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays with the labels of a split: those of the examples in use and, if these are fewer, of all.

    Args:
        split: its name.
        labels: of all N examples of the split.
        used: positions of those in use, M.
        kept: which of these could be read, M.
    """
    found = {f"{split}_labels": labels[used][kept]}
    return found if len(used) == len(labels) else found | {f"{split}{ALL_LABELS}": labels}


def differences(
    arrays: Mapping[str, np.ndarray], classes: int, sizes: Mapping[str, int], example_name: str = "examples"
) -> list[str]:
    """Return how data differs from the whole data set, one line each: in its classes or else in its examples.

    Args:
        arrays: with ``train_labels`` and those of the splits in ``sizes``.
        classes: of the whole data set.
        sizes: examples of the whole data set, by split.
        example_name: what an example is called.
    """
    import numpy as np

    # labels that occur, not class names: a file may list classes of which it has no example
    labels = {split: arrays.get(f"{split}{ALL_LABELS}", arrays[f"{split}_labels"]) for split in {"train", *sizes}}
    several = labels["train"].ndim > 1  # labels and values, which are not found by looking at the examples
    found = [("classes", classes if several else len(np.unique(labels["train"])), classes)]
    if found[0][1] == classes:
        found = [(f"{split} {example_name}", len(labels[split]), size) for split, size in sizes.items()]
    lines = [amounts(some, whole, what) for what, some, whole in found if some != whole]
    return lines + unreadable_lines(arrays)


def amounts(found: int, whole: int, what: str) -> str:
    """Return ``3 of 10 classes``, or ``12 classes instead of 10``."""
    return f"{found:,} of {whole:,} {what}" if found < whole else f"{found:,} {what} instead of {whole:,}"
