"""RunConfig: from partial settings to a complete, validated configuration, and to YAML and back."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from nacbench.contracts.recipe import Recipe
from nacbench.contracts.task import SCALES
from nacbench.data.images.recipe import ImageRecipe
from nacbench.errors import UserError
from nacbench.formats.dotted import merge
from nacbench.registry import MODELS, TASKS
from nacbench.running.config import Precision, RunConfig
from nacbench.running.resolve import parse_setting, read_yaml, refuse_given_twice, resolve

BASE: Mapping[str, Any] = {
    "task": {"name": "digits"},
    "model": {"name": "transformer"},
    "scale": "smoke",
    "precision": "fp32",
}


def with_setting(text: str) -> RunConfig:
    """Return the base configuration with one ``--set``."""
    return resolve(BASE, parse_setting(text))


def reread(config: RunConfig, folder: Path) -> RunConfig:
    """Write a configuration to a YAML file and read it back."""
    path = folder / "config.yaml"
    path.write_text(config.as_yaml(), encoding="utf-8")
    return resolve(read_yaml(path))


def test_task_and_model_are_enough() -> None:
    config = resolve({"task": {"name": "digits"}, "model": {"name": "nac"}})
    assert (config.scale, config.seed, config.model.size) == ("mini", 0, "mini")
    assert config.training == TASKS.get("digits").recipes["mini"]


def test_every_option_is_filled_in() -> None:
    config = resolve(BASE)
    assert set(config.task.options) == {field.name for field in dataclasses.fields(TASKS.get("digits"))}
    assert set(config.model.options) == {field.name for field in dataclasses.fields(MODELS.get("transformer"))}
    assert set(config.as_dict()["training"]) == set(ImageRecipe.model_fields)


def test_the_scale_chooses_the_presets_of_task_and_model_and_the_recipe() -> None:
    config = resolve(BASE, {"scale": "smoke"})
    assert config.model.size == "tiny"
    assert MODELS.get("transformer").presets["tiny"].items() <= config.model.options.items()
    assert TASKS.get("digits").presets["smoke"].items() <= config.task.options.items()
    assert config.training == TASKS.get("digits").recipes["smoke"]


def test_the_size_can_be_chosen_apart_from_the_scale() -> None:
    config = resolve(BASE, {"model": {"size": "mini"}})
    assert (config.scale, config.model.size) == ("smoke", "mini")
    assert config.model.options["depth"] == MODELS.get("transformer").presets["mini"]["depth"]


def test_an_option_wins_over_its_preset_and_leaves_the_others() -> None:
    config = resolve(BASE, {"model": {"depth": 3}})
    tiny = MODELS.get("transformer").presets["tiny"]
    assert config.model.options["depth"] == 3
    assert config.model.options["width"] == tiny["width"]


def test_later_layers_win_key_by_key() -> None:
    file = {"seed": 1, "training": {"epochs": 7, "augment": {"flip": True, "crop_padding": 1}}}
    first = {"seed": 2, "training": {"lr": 0.5, "augment": {"crop_padding": 2}}}
    second = {"training": {"augment": {"crop_padding": 3}}}
    config = resolve(BASE, file, first, second)
    training = config.training
    assert isinstance(training, ImageRecipe)
    assert (config.seed, training.epochs, training.lr) == (2, 7, 0.5)
    assert (training.augment.flip, training.augment.crop_padding) == (True, 3)


def test_merging_changes_neither_side() -> None:
    base, over = {"a": {"x": 1}}, {"a": {"y": 2}}
    assert merge(base, over) == {"a": {"x": 1, "y": 2}}
    assert (base, over) == ({"a": {"x": 1}}, {"a": {"y": 2}})


@pytest.mark.parametrize("model", sorted(MODELS.entries()))
@pytest.mark.parametrize("task", sorted(TASKS.entries()))
@pytest.mark.parametrize("scale", SCALES)
def test_a_configuration_survives_yaml(task: str, model: str, scale: str, tmp_path: Path) -> None:
    config = resolve({"task": {"name": task}, "model": {"name": model}, "scale": scale, "seed": 5})
    assert reread(config, tmp_path) == config


@pytest.mark.parametrize(
    "setting", ["training.lr=3e-4", "training.lr_start=1e-10", "training.augment.flip=true", "precision=bf16", "seed=9"]
)
def test_a_changed_configuration_survives_yaml(setting: str, tmp_path: Path) -> None:
    config = with_setting(setting)
    assert config != resolve(BASE)
    assert reread(config, tmp_path) == config


def test_yaml_shows_a_plugins_name_beside_its_options() -> None:
    config = resolve(BASE, {"model": {"width": 12, "depth": 1}})
    content = yaml.safe_load(config.as_yaml())
    assert list(content) == ["task", "model", "scale", "seed", "precision", "training"]
    assert list(content["model"])[:3] == ["name", "size", "width"]
    assert content["model"] == {"name": "transformer", "size": "tiny", **config.model.options}
    assert (content["model"]["width"], content["model"]["depth"]) == (12, 1)


def test_a_plain_name_is_short_for_a_section_with_that_name() -> None:
    plain = {**BASE, "task": "digits", "model": "vit"}
    spelled_out = {**BASE, "task": {"name": "digits"}, "model": {"name": "vit"}}
    assert resolve(plain) == resolve(spelled_out)
    assert resolve(plain, {"task": {"patch": 2}}, {"model": "vit"}).task.options["patch"] == 2
    with pytest.raises(UserError, match=r"cannot change model\.name from 'vit' to 'nac'"):
        resolve({**plain, "model": {"name": "vit", "depth": 2}}, {"model": "nac"})
    assert resolve({**BASE, "task": "digits-c", "trained_on": {"task": "digits"}}).trained_on is not None


def test_a_configuration_builds_the_plugins_it_describes() -> None:
    config = resolve(BASE, {"task": {"patch": 2}, "model": {"depth": 3}})
    assert config.task_plugin.options() == config.task.options
    assert config.model_plugin.options() == config.model.options
    assert config.model_plugin.options()["depth"] == 3


@pytest.mark.parametrize("field", ["seed", "training", "precision"])
def test_a_configuration_cannot_be_changed(field: str) -> None:
    config = resolve(BASE)
    with pytest.raises(ValidationError, match="frozen"):
        setattr(config, field, 1)


def test_automatic_precision_is_resolved_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nacbench.running.resolve.best_precision", lambda: "bf16")
    assert resolve(BASE, {"precision": "auto"}).precision == "bf16"
    assert resolve(BASE, {"precision": "fp32"}).precision == "fp32"


def test_automatic_precision_is_the_default() -> None:
    config = resolve({key: value for key, value in BASE.items() if key != "precision"})
    assert config.precision in get_args(Precision)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("tsk=digits", "unknown setting 'tsk'; did you mean 'task'?"),
        ("task.name=digit", "unknown task 'digit'; did you mean 'digits'?"),
        ("model.name=transfomer", "unknown model 'transfomer'; did you mean 'transformer'?"),
        ("scale=papers", "unknown scale 'papers'; did you mean 'paper'?"),
        ("model.size=tinny", "'tinny'; did you mean 'tiny'?"),
        ("task.pach=2", "unknown setting 'task.pach'; did you mean 'task.patch'?"),
        ("model.dept=2", "unknown setting 'model.dept'; did you mean 'model.depth'?"),
        ("training.epoch=2", "unknown setting 'training.epoch'; did you mean 'training.epochs'?"),
        ("training.augment.flop=1", "unknown setting 'training.augment.flop'; did you mean 'training.augment.flip'?"),
        ("training.learning_rate=1", "unknown setting 'training.learning_rate'; did you mean 'training.lr'?"),
        ("training.bs=8", "unknown setting 'training.bs'; did you mean 'training.batch_size'?"),
        ("training.wd=0", "unknown setting 'training.wd'; did you mean 'training.weight_decay'?"),
        ("training.warmup=1", "unknown setting 'training.warmup'; did you mean 'training.warmup_epochs'?"),
        ("training.num_epochs=1", "unknown setting 'training.num_epochs'; did you mean 'training.epochs'?"),
        ("training.grad_clip=1", "unknown setting 'training.grad_clip'; did you mean 'training.clip_norm'?"),
        ("training.seed=1", "unknown setting 'training.seed'; did you mean 'seed'?"),
        ("lr=1", "unknown setting 'lr'; did you mean 'training.lr'?"),
        ("model.num_layers=2", "unknown setting 'model.num_layers'; did you mean 'model.depth'?"),
        ("model.layers=2", "unknown setting 'model.layers'; did you mean 'model.depth'?"),
        ("model.d_model=2", "unknown setting 'model.d_model'; did you mean 'model.width'?"),
        ("model.lr=1", "unknown setting 'model.lr'; did you mean 'training.lr'?"),
        ("training.n_heads=1", "unknown setting 'training.n_heads'; did you mean 'model.heads'?"),
        ("dataset=digits", "unknown setting 'dataset'; did you mean 'task'?"),
        ("seeds=1", "unknown setting 'seeds'; did you mean 'seed'?"),
        ("learning-rate=1", "unknown setting 'learning-rate'; did you mean 'training.lr'?"),
        ("gpu=1", "unknown setting 'gpu'; did you mean '--device auto|cpu|cuda'?"),
        ("training.lr.peak=1", "training.lr.peak: training.lr has no parts"),
        ("model.size=huge", "there are: mini, paper, tiny"),
    ],
)
def test_the_error_for_an_unknown_name_suggests_the_most_similar_one(setting: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        with_setting(setting)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("seed=-1", "seed = -1: input should be greater than or equal to 0"),
        ("seed=true", "seed = True: input should be a valid integer"),
        ("seed=9223372036854775807.0", "input should be a valid integer"),
        ("training.epochs=99999999", "training.epochs = 99999999: input should be less than or equal to 1048576"),
        ("training.batch_size=true", "training.batch_size = True: input should be a valid integer"),
        ("training.lr=true", "training.lr = True: input should be a valid number"),
        ("training.augment.flip=yes", "training.augment.flip = 'yes': input should be a valid boolean"),
        ("task.patch='2'", "task.patch = '2': input should be a valid integer"),
        ("task.train_examples=2147483648", "task.train_examples = 2147483648: input should be less than"),
        ("model.width=9999999", "model.width = 9999999: input should be less than or equal to 1048576"),
        ("model.dropout=true", "model.dropout = True: input should be a valid number"),
        ("model.dropout='0.1'", "model.dropout = '0.1': input should be a valid number"),
        ("model.width=null", "model.width = None: input should be a valid integer"),
        ("seed=one", "seed = 'one': input should be a valid integer"),
        ("precision=fp16", "precision = 'fp16': input should be 'fp32' or 'bf16'"),
        ("training.epochs=0", "training.epochs = 0: input should be greater than 0"),
        ("training.lr=-1", "training.lr = -1: input should be greater than 0"),
        ("training.lr=nan", "training.lr = 'nan': input should be a valid number"),
        ("training.lr=.nan", "training.lr = nan: input should be a finite number"),
        ("training.lr=.inf", "training.lr = inf: input should be a finite number"),
        ("training.lr=2001-99-99", "training.lr = '2001-99-99': input should be a valid number"),
        ("training.lr='3e-4'", "training.lr = '3e-4': input should be a valid number"),
        ("training.lr=fast", "training.lr = 'fast': input should be a valid number"),
        ("training.beta1=1.5", "training.beta1 = 1.5: input should be less than 1"),
        ("training.beta1=1", "training.beta1 = 1: input should be less than 1"),
        ("training.beta2=1", "training.beta2 = 1: input should be less than 1"),
        ("training.ema=1", "training.ema = 1: input should be less than 1"),
        (
            "training.selection=best",
            "training.selection = 'best': input should be 'last', 'best-validation' or 'best-test, as published'",
        ),
        ("training.augment.crop_padding=-1", "training.augment.crop_padding = -1: input should be greater than"),
        ("training=5", "training = 5: this is a section"),
        ("training.augment=5", "training.augment = 5: input should be a mapping"),
        ("task.patch=0", "task.patch = 0: input should be greater than 0"),
        ("task.patch=3", "task.patch = 3: twice the patch must divide"),
        ("model.depth=2.5", "model.depth = 2.5: input should be a valid integer"),
        ("model.dropout=1", "model.dropout = 1: input should be less than 1"),
        ("model.heads=7", "model.width = 48 must be a multiple of model.heads = 7"),
        ("training.accumulate=3", "training.batch_size = 64 cannot be split evenly into training.accumulate = 3"),
        ("training.warmup_epochs=9", "training.warmup_epochs = 9.0 is more than training.epochs = 4"),
    ],
)
def test_the_error_for_an_invalid_value_names_its_key(setting: str, message: str) -> None:
    fixed = {"model": {"width": 48}, "training": {"batch_size": 64, "epochs": 4}}
    with pytest.raises(UserError) as caught:
        resolve(BASE, fixed, parse_setting(setting))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_seed_may_be_any_that_64_bits_hold() -> None:
    assert resolve(BASE, parse_setting("seed=9223372036854775807")).seed == 2**63 - 1
    with pytest.raises(UserError, match="seed = 9223372036854775808: input should be less than"):
        resolve(BASE, {"seed": 2**63})


def test_options_must_be_plain_data() -> None:
    with pytest.raises(UserError, match="model: options are numbers, text, lists and mappings"):
        resolve(BASE, {"model": {"width": object()}})


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_an_option_must_be_a_finite_number(value: float) -> None:
    with pytest.raises(UserError, match=r"model\.temperature = "):
        resolve({"task": {"name": "digits"}, "model": {"name": "nac", "temperature": value}})


@pytest.mark.parametrize(
    ("layer", "section"),
    [
        ({"model": {"name": "nac"}}, "task"),
        ({"task": {"name": "digits"}}, "model"),
        ({"task": {"name": "digits"}, "model": {"size": "tiny"}}, "model"),
    ],
)
def test_the_error_for_a_missing_task_or_model_names_the_option(layer: dict[str, Any], section: str) -> None:
    with pytest.raises(UserError, match=f"no {section} given; name one with --{section} NAME"):
        resolve(layer)


def test_a_scale_that_a_task_has_no_recipe_for_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = TASKS.get("digits")
    monkeypatch.setattr(digits, "recipes", {"smoke": digits.recipes["smoke"]})
    with pytest.raises(UserError, match="task Digits has no recipe for scale 'paper'; it has: smoke"):
        resolve(BASE, {"scale": "paper"})


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([{"model": "nac"}, {"model": {"name": "vit"}}], "model is given twice, as 'nac' and as 'vit'"),
        ([{"scale": "smoke"}, {"scale": "mini"}], "scale is given twice, as 'smoke' and as 'mini'"),
        ([{"seed": 1}, {"seed": 2}], "seed is given twice, as 1 and as 2; keep one of them"),
        ([{"training": {"lr": 1e-3}}, {"training": {"lr": 2e-3}}], "training.lr is given twice"),
    ],
)
def test_one_setting_with_two_values_is_refused(layers: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        refuse_given_twice(layers)
    refuse_given_twice([layers[0], layers[0], {"training": {"epochs": 3}}])


@pytest.mark.parametrize("setting", ["model.name=nac", "model.size=mini", "task.name=cifar10", "scale=mini"])
def test_the_preset_of_a_complete_file_cannot_be_changed(setting: str) -> None:
    file = resolve(BASE).as_dict()
    key = setting.partition("=")[0]
    with pytest.raises(UserError, match=f"cannot change {key} from '.*' to '.*'"):
        resolve(file, parse_setting(setting))


@pytest.mark.parametrize("setting", ["model.name=transformer", "model.size=tiny", "task.name=digits", "scale=smoke"])
def test_the_preset_of_a_complete_file_can_be_repeated(setting: str) -> None:
    config = resolve(BASE)
    assert resolve(config.as_dict(), parse_setting(setting)) == config


def test_values_of_a_complete_file_can_be_changed() -> None:
    config = resolve(resolve(BASE).as_dict(), {"seed": 3, "model": {"depth": 2}, "training": {"epochs": 9}})
    assert (config.seed, config.model.options["depth"], config.training.model_dump()["epochs"]) == (3, 2, 9)


def test_names_in_a_file_without_options_can_be_changed() -> None:
    config = resolve(BASE, {"model": {"name": "nac"}, "task": {"name": "cifar10"}, "scale": "mini"})
    assert (config.model.name, config.task.name, config.scale) == ("nac", "cifar10", "mini")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("seed=3", {"seed": 3}),
        ("training.lr=3e-4", {"training": {"lr": 0.0003}}),
        ("training.lr=1E5", {"training": {"lr": 100000.0}}),
        ("training.augment.flip=true", {"training": {"augment": {"flip": True}}}),
        ("model.evaluation=sample", {"model": {"evaluation": "sample"}}),
        ("task. patch =2", {"task": {"patch": 2}}),
        ("a=b=c", {"a": "b=c"}),
        ("training={lr: 3e-4}", {"training": {"lr": 0.0003}}),
        ("task.shots=[1, 010]", {"task": {"shots": [1, 10]}}),
        ("a=yes", {"a": "yes"}),
        ("a='010'", {"a": "010"}),
        ('a="1e-3"', {"a": "1e-3"}),
        ("a=12:00:00", {"a": "12:00:00"}),
        ("a=", {"a": None}),
    ],
)
def test_a_setting_is_parsed_as_yaml_with_numbers(text: str, setting: dict[str, Any]) -> None:
    assert parse_setting(text) == setting


@pytest.mark.parametrize(
    "text", ["seed", "=3", "training..lr=1", ".lr=1", "", "training.lr={", "a=&a [*a]", "a=!b 1", "a=1e999"]
)
def test_a_malformed_setting_is_an_error_that_shows_it(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_setting(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["seed=" + "9" * 5000, "9" * 5000, "a." * 5000 + "b=1", "seed=" + "[" * 5000, "." * 5000 + "=1"],
    ids=["a long number", "no value", "a deep key", "a deep list", "dots"],
)
def test_a_setting_out_of_all_bounds_is_one_short_line(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_setting(text)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_batch_is_split_evenly_into_micro_batches() -> None:
    assert Recipe(epochs=1, batch_size=12, accumulate=3, lr=0.1).accumulate == 3
    with pytest.raises(ValidationError, match="cannot be split evenly"):
        Recipe(epochs=1, batch_size=12, accumulate=5, lr=0.1)


def test_an_unknown_field_of_a_recipe_is_refused() -> None:
    with pytest.raises(ValidationError, match="momentum"):
        Recipe.model_validate({"epochs": 1, "batch_size": 1, "lr": 0.1, "momentum": 0.9})


def test_numbers_in_a_file_are_numbers_at_any_depth(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("seed: 3\ntraining:\n  lr: 3e-4\n  augment:\n    mixup: 8e-1\n")
    assert read_yaml(path) == {"seed": 3, "training": {"lr": 0.0003, "augment": {"mixup": 0.8}}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seed: 1\nmodel: {name: [\n", "is not valid YAML at line 3"),
        (b"seed: 1\n\ttask: x\n", "is not valid YAML at line 2"),
        (b"seed: 1\nscale: mini\nseed: 2\n", "at line 3, column 1: key 'seed' is given a second time, after line 1"),
        (b"seed: 1\nmodel:\n  depth: 1\n  'depth': 2\n", "at line 4, column 3: key 'depth' .* after line 3"),
        (b"- digits\n- nac\n", "holds no settings; it should be a mapping with the keys task, model"),
        (b"", "holds no settings"),
        (b"just a sentence", "holds no settings"),
        (b"name: \xff\xfe\n", "is not UTF-8 text"),
        (b"name: \x00\n", "is not valid YAML"),
    ],
    ids=[
        "open bracket",
        "tab",
        "a key twice",
        "a key twice in a section",
        "a list",
        "empty",
        "text",
        "not UTF-8",
        "a control character",
    ],
)
def test_a_file_that_is_not_a_configuration_is_an_error_that_names_it(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_a_duplicate_key_in_a_setting_is_an_error() -> None:
    with pytest.raises(UserError, match="key 'lr' is given a second time"):
        parse_setting("training={lr: 1, lr: 2}")


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "absent.yaml"
    with pytest.raises(UserError, match="No such file") as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)
