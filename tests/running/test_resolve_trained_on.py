"""Settings of an evaluation run: those of the run that trains its network, and those that both share."""

from typing import Any

import pytest
import yaml

from nacbench.errors import UserError
from nacbench.running.resolve import parse_setting, resolve


def test_a_run_contains_the_configuration_of_the_run_it_is_trained_on() -> None:
    config = resolve({"task": {"name": "digits-c"}, "model": {"name": "nac", "depth": 1}, "scale": "smoke", "seed": 3})
    assert config.trained_on is not None
    assert config.trained_on.task.name == "digits"
    assert (config.trained_on.model, config.trained_on.seed, config.trained_on.scale) == (config.model, 3, "smoke")
    assert config.trained_on == resolve(
        {"task": {"name": "digits"}, "model": {"name": "nac", "depth": 1}, "scale": "smoke", "seed": 3}
    )


def test_settings_of_the_run_that_trains_can_be_changed() -> None:
    config = resolve(
        {"task": {"name": "digits-c"}, "model": {"name": "nac"}, "scale": "smoke"},
        parse_setting("trained_on.training.lr=1e-2"),
        parse_setting("trained_on.task.stem_width=8"),
    )
    assert config.trained_on is not None
    assert config.trained_on.training.model_dump()["lr"] == 0.01
    assert config.trained_on.task.options["stem_width"] == 8
    assert resolve(yaml.safe_load(config.as_yaml())) == config


def test_the_old_name_of_trained_on_is_read() -> None:
    run = {"task": "digits-c", "model": "nac", "scale": "smoke"}
    assert resolve({**run, "source": {"training": {"lr": 0.01}}}) == resolve(
        run, parse_setting("source.training.lr=1e-2")
    )
    assert resolve({**run, "source": {"training": {"lr": 0.01}}}) == resolve(
        {**run, "trained_on": {"training": {"lr": 0.01}}}
    )
    with pytest.raises(UserError, match="unknown setting 'source'"):
        resolve({**run, "source": {}, "trained_on": {}})


def test_a_stored_run_that_lacks_an_option_that_models_have_got_since_is_read() -> None:
    new = resolve({"task": "digits-c", "model": "nac", "scale": "smoke", "precision": "fp32"})
    old = new.as_dict()
    for section in (old, old["trained_on"]):
        del section["model"]["signature_start"]
    assert resolve(old) == new
    old["trained_on"]["model"]["depth"] = 7
    with pytest.raises(UserError, match=r"trained_on\.model = .*: both runs have the same model"):
        resolve(old)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"precision": "bf16"}, {"model": "vit"}, {"model": {"depth": 2}}, {"scale": "mini"}]
)
def test_a_stored_configuration_takes_another_value_of_what_both_runs_share(change: dict[str, Any]) -> None:
    given = {"task": "digits-c", "model": "nac", "scale": "smoke", "precision": "fp32"}
    stored = resolve(given).as_dict()
    if "scale" not in change and change != {"model": "vit"}:  # these have other recipes and options
        assert resolve(stored, change) == resolve(given, change)
    with pytest.raises(UserError, match=r"trained_on\.seed = 4: both runs have the same seed"):
        resolve(stored, {"trained_on": {"seed": 4}})
    with pytest.raises(UserError, match=r"trained_on\.seed = 4: both runs have the same seed"):
        resolve({**given, "trained_on": {"seed": 4}}, {"seed": 1})  # named for one of them alone


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trained_on": {"task": {"name": "cifar10"}}}, "scores networks trained on 'digits'"),
        ({"trained_on": {"seed": 4}}, r"trained_on\.seed = 4: both runs have the same seed"),
        ({"trained_on": {"training": {"epoch": 4}}}, r"^trained_on: unknown setting 'training\.epoch'"),
        ({"trained_on": {"training": {"lr": "x"}}}, r"^trained_on: training\.lr = 'x'"),
        ({"trained_on": 7}, "this is a section"),
        ({"trained_on": {"task": 5}}, r"^trained_on\.task = 5: give the name of a task, or set an option of it"),
        ({"trained_on": {"task": []}}, r"^trained_on\.task = \[\]: give the name"),
        ({"trained_on": {"model": None}}, r"^trained_on\.model = None: give the name of a model"),
        ({"task": 5}, r"^task = 5: give the name of a task"),
        ({"model": [1]}, r"^model = \[1\]: give the name of a model"),
        ({"task": {"name": "digits"}, "trained_on": {"seed": 4}}, "trains its own network"),
    ],
)
def test_an_invalid_trained_on_section_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        resolve({"task": {"name": "digits-c"}, "model": {"name": "nac"}, "scale": "smoke", **given})
