"""Settings of a run: merging and checking of layers, ``--set`` and YAML files, up to a complete
`nacbench.running.config.RunConfig`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from nacbench.contracts.given import checked_options
from nacbench.contracts.recipe import Settings
from nacbench.contracts.task import SCALES, AnyTask, EvaluationTask, Scale
from nacbench.errors import UserError, first_problem, shown, unknown
from nacbench.formats.dotted import leaves, merge, nested
from nacbench.formats.yaml_text import parse_yaml, read_mapping
from nacbench.machine.hardware import best_precision
from nacbench.recording.upgrade import renamed
from nacbench.registry import MODELS, TASKS, usual_size
from nacbench.running.config import ModelChoice, PluginChoice, RunConfig
from nacbench.running.initial import init_from
from nacbench.running.known_settings import FIELDS, settings_of, unknown_option, unknown_setting

# Sections that can be given by a name alone, which is their first key. Weights that are named anew have another digest
SECTIONS: Mapping[str, dict[str, Any]] = {
    "task": {"name": None},
    "model": {"name": None},
    "init_from": {"path": None, "weights": None},
}
# Settings that a run has in common with the run it is trained_on
SHARED = ("model", "scale", "seed", "precision", "skip_unreadable")


def resolve(*layers: Mapping[str, Any]) -> RunConfig:
    """Merge partial settings into a complete, validated configuration. Later layers take precedence.

    Args:
        layers: nested mappings such as ``{"task": {"name": "digits"}, "model": {"name": "nac", "depth": 2}}``. A task
            or model without options can be given by name: ``{"task": "digits"}``.
            ``precision`` may be ``auto`` (the default): bf16 if this machine supports it, otherwise fp32.

    Raises:
        UserError: if a key, task, model or option is unknown, or a value is invalid.
    """
    given: dict[str, Any] = {}
    for layer in map(named, map(renamed, layers)):
        _refuse_stale_presets(given, layer)
        given = merge(_without_copies(given, layer), layer)
    for key in given:
        if key not in FIELDS:
            raise unknown_setting(key, given)
    _check_sections(given)
    for section in ("task", "model"):
        if "name" not in given.get(section, {}):
            raise UserError(f"no {section} given; name one with --{section} NAME (see: nacbench {section}s)")
    scale = given.get("scale", "mini")
    if scale not in SCALES:
        raise unknown("scale", str(scale), SCALES)
    config = _own_config(given, scale)
    task = config.task_plugin
    if isinstance(task, EvaluationTask):
        if config.init_from is not None:
            raise UserError(
                f"task {config.task.name!r} trains no network; set trained_on.init_from for the one it scores"
            )
        trained = _trained_on(config, task.trained_on, given.get("trained_on", {}))
        return config.model_copy(update={"trained_on": trained})
    if given.get("trained_on"):
        raise UserError(f"trained_on = {given['trained_on']!r}: task {config.task.name!r} trains its own network")
    return config


def _without_copies(earlier: Mapping[str, Any], layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return earlier settings without those of the training run that a layer changes for both runs.

    A stored configuration names them for both: ``--seed 1`` over it changes both. What names one for the training run
    alone stays, and is refused if it is another one.
    """
    before = earlier.get("trained_on")
    if not isinstance(before, Mapping):
        return earlier
    changed = {key for key in SHARED if key in layer and key in earlier}
    return {**earlier, "trained_on": {key: own for key, own in before.items() if key not in changed}}


def _check_sections(given: Mapping[str, Any], prefix: str = "") -> None:
    """Check that task and model, where they are given, are names or sections.

    Raises:
        UserError: if one is something else.
    """
    for name in ("task", "model"):
        value = given.get(name, {})
        if not isinstance(value, Mapping):
            raise UserError(
                f"{prefix}{name} = {shown(value)}: give the name of a {name}, or set an option of it, as in "
                f"{prefix}{name}.name=NAME"
            )


def refuse_given_twice(layers: Iterable[Mapping[str, Any]]) -> None:
    """Check that no two of some layers give different values for one setting; `resolve` would take the last one.

    Layers that may override each other, such as a file and the command line, must not be among them.

    Raises:
        UserError: if two do; the message has both values.
    """
    given: dict[str, Any] = {}
    for layer in map(named, layers):
        for key, value in leaves(layer).items():
            if key in given and given[key] != value:  # one NaN is not equal to itself, and is refused elsewhere
                both = f"as {shown(given[key])} and as {shown(value)}"
                raise UserError(f"{key.removesuffix('.name')} is given twice, {both}; keep one of them")
            given[key] = value


def named(layer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a layer with its names as sections: the task ``digits`` becomes ``{"name": "digits"}``."""
    return {
        k: {**SECTIONS[k], next(iter(SECTIONS[k])): v} if k in SECTIONS and isinstance(v, str) else v
        for k, v in layer.items()
    }


def _own_config(given: Mapping[str, Any], scale: Scale) -> RunConfig:
    """Return the run's configuration without the section ``trained_on``."""
    task_name, task_options = _take(given["task"], "name")
    task_class = TASKS.get(task_name)
    model_name, model_options = _take(given["model"], "name")
    model_class = MODELS.get(model_name)
    size, model_options = _take(model_options, "size", usual_size(task_class, scale, model_class))
    known = settings_of(task_class, model_class, scale)
    for section, options in (("task", task_options), ("model", model_options)):
        for key in options:
            if f"{section}.{key}" not in known:
                raise unknown_option(section, key, known, model_name if section == "model" else task_name)
    task = task_class.configured("task", scale, task_options)
    if model_class.presets and size not in model_class.presets:
        raise unknown(f"size of model {model_name!r}", size, model_class.presets)
    model = model_class.configured("model", size, model_options)
    precision = given.get("precision", "auto")
    try:
        config = RunConfig(
            task=PluginChoice(name=task_name, options=checked_options(task, task.options())),
            model=ModelChoice(name=model_name, size=size, options=checked_options(model, model.options())),
            scale=scale,
            seed=given.get("seed", 0),
            precision=best_precision() if precision == "auto" else precision,
            skip_unreadable=given.get("skip_unreadable", False),
            training=_recipe(task, scale, given.get("training", {}), known),
            init_from=init_from(given.get("init_from")),
        )
    except ValidationError as error:
        raise UserError(first_problem(error, "")) from None
    config._task, config._model = task, model
    return config


def _trained_on(config: RunConfig, task_name: str, overrides: Any) -> RunConfig:
    """Return the configuration of the run that trains the network for an evaluation task.

    The settings in `SHARED` are copied; ``--set trained_on.training.lr=1e-3`` and ``--set trained_on.task.FIELD=VALUE``
    change others.

    Raises:
        UserError: if the overrides are invalid, or would change a shared setting or the task.
    """
    TASKS.training(task_name)  # raises UserError if that task trains no network
    if not isinstance(overrides, Mapping):
        raise UserError(
            f"trained_on = {overrides!r}: this is a section; set a part of it, as in trained_on.training.lr=3e-4"
        )
    overrides = named(overrides)
    _check_sections(overrides, "trained_on.")
    task = {"name": task_name, **overrides.get("task", {})}
    if task["name"] != task_name:
        raise UserError(f"trained_on.task.name = {task['name']!r}: this task scores networks trained on {task_name!r}")
    own = config.as_dict()
    for key in SHARED:
        # A stored run may lack options that models have got since, so that what it does not name is no change
        if key in overrides and merge(own, {key: overrides[key]}) != own:
            raise UserError(f"trained_on.{key} = {overrides[key]!r}: both runs have the same {key}; set {key} itself")
    try:
        return resolve({**overrides, "task": task, **{key: own[key] for key in SHARED if key in own}})
    except UserError as error:
        raise UserError(f"trained_on: {error}") from error


def _recipe(task: AnyTask, scale: Scale, overrides: Any, known: Iterable[str]) -> Settings:
    """Return the task's recipe for this scale with the user's overrides, validated.

    Args:
        task: the task.
        scale: the scale.
        overrides: what the user gave of the section ``training``.
        known: dotted keys that may be suggested for one that the recipe lacks.
    """
    if scale not in task.recipes:
        raise UserError(f"task {task.title} has no recipe for scale {scale!r}; it has: {', '.join(task.recipes)}")
    base = task.recipes[scale]
    if not isinstance(base, Settings):
        raise UserError(f"task {task.title} has the recipe {shown(base)} for scale {scale!r}, which is no Recipe")
    if not isinstance(overrides, Mapping):
        raise UserError(f"training = {overrides!r}: this is a section; set one of its fields, as in training.lr=3e-4")
    for path in _leaves(overrides):
        _check_key(base, path, known)
    try:
        return type(base).model_validate(merge(base.model_dump(), overrides))
    except ValidationError as error:
        raise UserError(first_problem(error, "training")) from None


def _check_key(recipe: BaseModel, path: tuple[str, ...], known: Iterable[str]) -> None:
    """Check that a recipe has a key, at any depth.

    Pydantic would refuse it as well, but without suggesting a similar key.

    Raises:
        UserError: if it does not.
    """
    part: Any = recipe
    for depth, key in enumerate(path):
        if not isinstance(part, BaseModel):
            raise UserError(f"training.{'.'.join(path)}: training.{'.'.join(path[:depth])} has no parts")
        if key not in type(part).model_fields:
            raise unknown("setting", ".".join(("training", *path[: depth + 1])), known)
        part = getattr(part, key)


def _refuse_stale_presets(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> None:
    """Refuse to change a name, size or scale if an earlier layer fixes options that its preset would have set.

    A complete file holds the values of its preset. With another scale or size, these would silently stay in effect.

    Raises:
        UserError: if a later layer does so.
    """

    def section(layer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = layer.get(name, {})
        return value if isinstance(value, Mapping) else {}

    def changes(before: Mapping[str, Any], after: Mapping[str, Any], key: str) -> bool:
        return key in before and key in after and before[key] != after[key]

    for name, keys in (("task", ("name",)), ("model", ("name", "size"))):
        before, after = section(earlier, name), section(later, name)
        fixed = sorted(set(before) - {"name", "size"})
        for key in keys:
            if changes(before, after, key) and fixed:
                raise UserError(
                    f"cannot change {name}.{key} from {before[key]!r} to {after[key]!r}: the configuration file also "
                    f"fixes {name}.{fixed[0]}; remove that section from the file, or leave {name}.{key} as it is"
                )
    if changes(earlier, later, "scale") and (section(earlier, "training") or len(section(earlier, "task")) > 1):
        raise UserError(
            f"cannot change scale from {earlier['scale']!r} to {later['scale']!r}: the configuration file fixes "
            "options of task or training too; remove those sections from the file, or leave the scale as it is"
        )


def _take(section: Mapping[str, Any], key: str, default: str = "") -> tuple[str, dict[str, Any]]:
    """Return the value of a key as text, and the section without it."""
    rest = dict(section)
    value = rest.pop(key, default)
    return str(value), rest


def _leaves(tree: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> Iterable[tuple[str, ...]]:
    """Yield the paths of all values in nested mappings."""
    for key, value in tree.items():
        path = (*prefix, str(key))
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, path)
        else:
            yield path


def parse_setting(text: str) -> dict[str, Any]:
    """Parse ``training.lr=3e-4`` to ``{"training": {"lr": 0.0003}}``. The value is YAML.

    Raises:
        UserError: if there is no ``=``, or the value is not YAML.
    """
    key, equals, raw = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise UserError(f"--set {shown(text)}: write it as KEY=VALUE, for example --set training.lr=3e-4")
    return nested(key, parse_yaml(raw, f"--set {shown(text)}: {shown(raw)}"))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the settings in a YAML file.

    Raises:
        UserError: if the file cannot be read, is not YAML, or is not a mapping.
    """
    return read_mapping(path, FIELDS)
