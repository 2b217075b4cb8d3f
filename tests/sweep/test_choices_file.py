"""Files of choices: what tuning writes, how sweeps and reports take it, and mistakes in it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from nacbench.errors import UserError
from nacbench.sweep.choices_file import choices_file
from nacbench.sweep.content import read_choices
from nacbench.sweep.read_sweep import parse_sweep
from nacbench.sweep.trials import known_choices
from nacbench.sweep.tuning import tuning_of

from .made_trials import RATES, tried


def test_a_sweep_reads_the_written_choices(tmp_path: Path) -> None:
    rows = tuning_of([*tried(RATES, size="tiny", scale="smoke")])
    (tmp_path / "rates.yaml").write_text(choices_file(rows, "nacbench tune runs"))
    (choice,) = read_choices(tmp_path / "rates.yaml")
    assert choice["use"] == {"training.lr": 0.004}
    tried_ones = {"training.lr=0.001": 0.5, "training.lr=0.004": 0.7, "training.lr=0.009": 0.6}
    assert choice["evidence"] == {"tried": tried_ones, "seeds": [0], "epochs": 2}
    content = {"tasks": ["digits", "digits-c", "parametric-shapes"], "models": ["nac", "vit"], "scale": "smoke"}
    sweep = parse_sweep({**content, "choices": "rates.yaml"}, tmp_path / "mine.yaml")
    plain = parse_sweep(content, tmp_path / "mine.yaml")
    for config, before in zip(sweep.expand(), plain.expand(), strict=True):
        own = config.trained_on or config
        tuned = (own.task.name, config.model.name) == ("digits", "nac")
        expected = 0.004 if tuned else (before.trained_on or before).training.model_dump()["lr"]
        assert own.training.model_dump()["lr"] == expected
        assert (config == before) == (not tuned)


def test_settings_of_a_block_override_choices() -> None:
    choices = [{"when": {"task": "digits"}, "use": {"training.lr": 0.004, "training.epochs": 2}}]
    content = {"tasks": "digits", "models": "nac", "scale": "smoke", "axes": {"training.lr": [0.1, 0.2]}}
    sweep = parse_sweep({**content, "choices": choices}, Path("mine.yaml"))
    recipes = [config.training.model_dump() for config in sweep.expand()]
    assert [(recipe["lr"], recipe["epochs"]) for recipe in recipes] == [(0.1, 2), (0.2, 2)]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([{"when": {"task": "digits"}, "use": {"training.lrr": 1}}], "unknown setting 'training.lrr'"),
        ([{"when": {"task": "digits"}}], "choices.0.use"),
        ("nowhere.yaml", "cannot read nowhere.yaml"),
    ],
)
def test_what_cannot_be_is_named(choices: Any, message: str) -> None:
    content = {"tasks": "digits", "models": "nac", "scale": "smoke", "choices": choices}
    with pytest.raises(UserError, match=message):
        parse_sweep(content, Path("mine.yaml")).expand()


def test_a_file_without_choices_is_refused(tmp_path: Path) -> None:
    (tmp_path / "profile.yaml").write_text("executor: local")
    with pytest.raises(UserError, match="has no list called choices"):
        read_choices(tmp_path / "profile.yaml")


WHEN = {"task": "digits", "model": ["nac", "vit"], "model.size": "mini", "scale": "mini"}


MADE = {"when": WHEN, "use": {"training": {"lr": 2}}, "evidence": {"tried": {"training.lr=1": 0.5}, "seeds": [0]}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"evidence": {"tried": {"a": 1}, "seeds": 3}}, r"choices\.0\.evidence\.seeds = 3: input should be a list"),
        (
            {"evidence": {"at_the_edge": "training.lr"}},
            r"at_the_edge = 'training.lr': input should be a list",
        ),
        ({"use": ["training.lr"]}, r"choices\.0\.use = \['training.lr'\]: input should be a mapping"),
        ({"evidnce": {}}, r"choices\.0\.evidnce"),
        ({"when": {"modle": "nac"}}, r"choices\.0\.when = .*unknown setting 'modle'; did you mean 'model'\?"),
        ({"when": {"model": {"name": "nac"}}}, r"model is a section; write each of its settings as model\.NAME"),
    ],
)
def test_mistakes_in_a_file_of_choices_are_named_by_sweeps_and_reports(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = tmp_path / "rates.yaml"
    file.write_text(yaml.safe_dump({"choices": [{**MADE, **changes}]}))
    with pytest.raises(UserError, match=rf"rates\.yaml: {'.*' if message[0] != 'c' else ''}{message}"):
        known_choices([file])
    with pytest.raises(UserError, match=message):
        parse_sweep({"tasks": "digits", "models": "nac", "choices": "rates.yaml"}, tmp_path / "mine.yaml")


def test_reports_understand_a_choice_as_sweeps_do(tmp_path: Path) -> None:
    """Lists in ``when``, and settings in their sections."""
    file = tmp_path / "rates.yaml"
    file.write_text(yaml.safe_dump({"choices": [MADE]}))
    known = known_choices([file])
    for model in ("nac", "vit"):
        assert known["digits", model, "mini", "mini"] == (
            {"training.lr": 2},
            "best of 1 tried: 1; seeds 0; epochs 0",
            (),
        )


def test_the_file_of_choices_says_what_lies_at_the_edge(tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(choices_file(tuning_of(tried({0.001: 0.9, 0.004: 0.8})), "nacbench tune"))
    (choice,) = read_choices(tmp_path / "rates.yaml")
    assert choice["evidence"]["at_the_edge"] == ["training.lr"]
