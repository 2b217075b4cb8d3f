"""The line on whose settings a score at scale paper was obtained with."""

import pytest

from nacbench.running.resolve import parse_setting, resolve
from nacbench.running.settings_note import note_on_settings

RELEASE = "settings of scale paper are published: the authors' release, "


def note(task: str, scale: str, *settings: str) -> list[str]:
    base = {"task": {"name": task}, "model": {"name": "nac"}, "scale": scale, "precision": "fp32"}
    return note_on_settings(resolve(base, *map(parse_setting, settings)))


def test_what_differs_from_the_published_settings_is_named_as_it_is_set() -> None:
    (usual,) = note("tiny-imagenet", "paper", "model.prior=scale-free")
    assert usual.startswith(RELEASE)
    assert "but for" not in usual
    (changed,) = note("tiny-imagenet", "paper", "task.train_examples=6", "training.augment.mixup=0.2")
    assert changed.endswith(", but for task.train_examples = 6, training.augment.mixup = 0.2")


@pytest.mark.parametrize(("scale", "told"), [("paper", ["settings of scale paper are ours"]), ("mini", [])])
def test_settings_of_our_own_are_called_ours_and_other_scales_say_nothing(scale: str, told: list[str]) -> None:
    assert note("digits", scale, "training.lr=0.01") == told
