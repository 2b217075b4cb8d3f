"""Identity: which settings, data and code give the same run id, and which another."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nacbench.code_digest import ROOT, engine_files
from nacbench.formats.dotted import flatten
from nacbench.registry import TASKS
from nacbench.running.identity import Identity
from nacbench.running.plugin_code import plugin_files
from nacbench.running.resolve import parse_setting, resolve

BASE: Mapping[str, Any] = {
    "task": {"name": "digits"},
    "model": {"name": "transformer", "width": 48, "depth": 8, "heads": 2},
    "scale": "smoke",
    "precision": "fp32",
    "training": {"batch_size": 64, "lr": 0.002, "epochs": 4},
}
DATA = "0123456789abcdef"


def identity(*settings: str, data: str = DATA) -> Identity:
    """Return the identity of the base configuration with some settings."""
    return Identity.of(resolve(BASE, *map(parse_setting, settings)), data)


def single_changes() -> list[tuple[str, str]]:
    """Return every field of the base configuration that can change by itself, with another value for it."""
    config = resolve(BASE).as_dict()
    named = {"task.name", "model.name", "model.size", "scale", "task.normalisation"}  # digits have no colours
    special = {
        "precision": "bf16",
        "model.width": "50",
        "training.selection": "best-validation",
        "training.batch_size": "63",
        "training.schedule": "epoch-cosine",
        "task.patch": "2",
        "task.test_resize": "9",
        "task.tokenizer_start": "published",
    }
    changes = []
    for key, text in flatten(config).items():
        if key in special:
            changes.append((key, special[key]))
        elif text in ("true", "false"):
            changes.append((key, "false" if text == "true" else "true"))
        elif key not in named:
            changes.append((key, str(int(text) + 1) if text.isdigit() else str(float(text) / 2 + 0.1)))
    return changes


def test_the_same_configuration_on_the_same_data_has_the_same_id() -> None:
    one, other = identity(), identity()
    assert one.run_id == other.run_id
    assert one.differences(other) == []
    assert len(one.run_id) == 12
    assert set(one.run_id) <= set("0123456789abcdef")


def test_naming_a_default_changes_nothing() -> None:
    assert identity("seed=0", "training.accumulate=1", "model.depth=8").run_id == identity().run_id


def test_the_id_can_be_computed_from_the_identity_in_a_record() -> None:
    one = identity()
    assert Identity.model_validate_json(one.model_dump_json()).run_id == one.run_id


@pytest.mark.parametrize(("key", "value"), single_changes())
def test_changing_one_field_changes_the_id_and_is_the_only_difference(key: str, value: str) -> None:
    base, changed = identity(), identity(f"{key}={value}")
    assert base.run_id != changed.run_id
    assert [name for name, _, _ in base.differences(changed)] == [key]


def test_every_kind_of_field_is_among_those_that_were_changed() -> None:
    keys = {key for key, _ in single_changes()}
    assert {"seed", "precision", "task.patch", "model.depth", "training.lr", "training.augment.flip"} <= keys


def test_a_difference_comes_with_both_values() -> None:
    assert identity().differences(identity("training.lr=3e-4")) == [("training.lr", "0.002", "0.0003")]


def test_other_data_is_another_run() -> None:
    base, changed = identity(), identity(data="f" * 16)
    assert base.run_id != changed.run_id
    assert base.differences(changed) == [("data", DATA, "f" * 16)]


def test_another_version_of_the_task_is_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    base = identity()
    digits = TASKS.get("digits")
    monkeypatch.setattr(digits, "version", digits.version + 1)
    assert base.run_id != identity().run_id
    assert base.differences(identity()) == [("task_version", str(digits.version - 1), str(digits.version))]


@pytest.mark.parametrize("part", ["engine", "task", "model"])
def test_other_code_is_another_run(part: str) -> None:
    base = identity()
    changed = base.model_copy(update={"code": {**base.code, part: "000000000000"}})
    assert base.run_id != changed.run_id
    assert base.differences(changed) == [(f"code.{part}", base.code[part], "000000000000")]


def test_another_model_differs_in_its_name_its_options_and_its_code() -> None:
    base = identity()
    other = Identity.of(resolve({**BASE, "model": {"name": "nac", "modules": 16}}), DATA)
    differences = {key: (ours, theirs) for key, ours, theirs in base.differences(other)}
    assert differences["model.name"] == ("transformer", "nac")
    assert differences["model.width"] == ("48", "—")
    assert differences["model.modules"] == ("—", "16")
    assert "code.model" in differences
    assert "code.task" not in differences
    assert "code.engine" not in differences


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)


@given(VALUES, VALUES)
@example(1, "1")
@example(True, "true")
@example(None, "null")
def test_ids_differ_exactly_if_there_are_differences(one: Any, other: Any) -> None:
    ours = Identity(config={"model": {"option": one}}, task_version=1, data=DATA, code={})
    theirs = Identity(config={"model": {"option": other}}, task_version=1, data=DATA, code={})
    assert (ours.run_id != theirs.run_id) == bool(ours.differences(theirs))


def test_nested_settings_are_flattened_to_dotted_keys() -> None:
    assert flatten({"seed": 1, "training": {"lr": 0.5, "augment": {"flip": True}}, "name": "a"}) == {
        "seed": "1",
        "training.lr": "0.5",
        "training.augment.flip": "true",
        "name": "a",
    }


def built_on(task: str) -> set[str]:
    """Return the files of nacbench that a task's digest covers."""
    return {str(file.relative_to(ROOT)) for file in plugin_files(TASKS.get(task))[0]}


def test_the_digest_of_a_task_covers_exactly_the_modules_it_depends_on() -> None:
    listops, corrupted = built_on("listops-short"), built_on("digits-c")
    assert {f"data/sequences/{name}.py" for name in ("listops", "listops_evaluation", "tokenizer")} <= listops
    assert {"data/live.py", "tasks/listops_short.py"} <= listops
    assert {"protocols/corrupted.py", "data/images/corruptions/any_size.py", "data/images/augment.py"} <= corrupted
    assert {"tasks/digits_c.py", "tasks/digits.py"} <= corrupted
    assert not {file for file in listops if "image" in file or "corrupt" in file}


def test_code_that_downloads_files_does_not_count() -> None:
    for task in TASKS.entries():
        assert not {file for file in built_on(task) if file.startswith("data/mirror/")}


def test_the_engine_is_the_code_that_computes_every_run() -> None:
    files = {str(file.relative_to(ROOT)) for file in engine_files()}
    assert {"contracts/model.py", "nn/network.py", "training/loop.py", "running/scoring.py", "seeds.py"} <= files
    assert {"statistics.py"} < files
    assert not {file for file in files if file.startswith(("data/", "recording/", "machine/", "cli/"))}
