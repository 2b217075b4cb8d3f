"""Task made from another one: is a handwritten digit odd? The images of `digits` with two classes."""

from dataclasses import dataclass

from nacbench import Arrays, fingerprint, get_task

Digits = get_task("digits")


@dataclass(frozen=True, kw_only=True)
class DigitParity(Digits):
    title = "Parity of digits"
    classes = 2
    class_names = ("even", "odd")

    def arrays(self, data_root):
        arrays = dict(super().arrays(data_root).arrays)
        for name in ("train_labels", "validation_labels", "test_labels"):
            arrays[name] = arrays[name] % 2
        return Arrays(arrays, fingerprint(arrays))
