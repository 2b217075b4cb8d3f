"""Which settings a run has, by their dotted keys, and what to say of one that it does not have."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from pydantic import BaseModel

from nacbench.contracts.model import Model
from nacbench.contracts.recipe import Recipe, Settings
from nacbench.contracts.task import AnyTask, EvaluationTask, Scale
from nacbench.errors import UserError, shown, unknown
from nacbench.registry import MODELS, TASKS

FIELDS = ("task", "model", "scale", "seed", "precision", "skip_unreadable", "training", "init_from", "trained_on")
# Options that say how to compute, which are no settings of a run: suggested to whoever takes them for some
NOT_SETTINGS = ("--device auto|cpu|cuda", "--workers N", "--threads N", "--out FOLDER", "--data-root FOLDER")


def unknown_setting(key: str, given: Mapping[str, Any]) -> UserError:
    """Return the error for a key of some settings that is none of ``FIELDS``, with those that may be meant."""
    section, dot, inside = key.partition(".")
    if dot and section in FIELDS:  # as for --set; in a file it is a key with a dot in it
        where = f"{section}: {{{inside}: …}}"
        return UserError(f"unknown setting {shown(key)}; in a file write it in its section, as in {where}")
    return unknown("setting", key, _settings_for(given))


def unknown_option(section: str, key: str, known: Iterable[str], name: str) -> UserError:
    """Return the error for an option that a task or model does not have, with those of its own that are like it."""
    error = unknown("setting", f"{section}.{key}", known)
    if "did you mean" in str(error) and f"'{section}'?" not in str(error):
        return error
    own = [one for one in known if one.startswith(f"{section}.") and one != f"{section}.name"]
    return UserError(f"unknown setting '{section}.{key}'; {section} {name} has: {', '.join(own)}")


def _settings_for(given: Mapping[str, Any]) -> list[str]:
    """Return the dotted keys that may be meant, as far as it is known of which task and model."""
    try:
        return settings_of(
            TASKS.get(given["task"]["name"]), MODELS.get(given["model"]["name"]), given.get("scale", "mini")
        )
    except (UserError, KeyError, TypeError):  # not given, or not known
        return [*FIELDS, *(f"training.{name}" for name in Recipe.model_fields), *NOT_SETTINGS]


def settings_of(task: type[AnyTask], model: type[Model], scale: Scale) -> list[str]:
    """Return the dotted keys of all that can be set for a run, and options of commands that may be meant by others."""
    recipe = task.recipes.get(scale)
    training = _recipe_keys(recipe) if isinstance(recipe, Settings) else []
    if issubclass(task, EvaluationTask):  # what is looked for in its own recipe is often in that of its network
        other = TASKS.get(task.trained_on).recipes.get(scale)
        training += _recipe_keys(other, "trained_on.training") if isinstance(other, Settings) else []
    options = [f"{section}.{own.name}" for section, cls in (("task", task), ("model", model)) for own in fields(cls)]
    return [*FIELDS, "task.name", "model.name", "model.size", *options, *training, *NOT_SETTINGS]


def _recipe_keys(recipe: BaseModel, prefix: str = "training") -> list[str]:
    """Return the dotted keys of all fields of a recipe, at any depth."""
    keys = []
    for name in type(recipe).model_fields:
        value = getattr(recipe, name)
        path = f"{prefix}.{name}"
        keys += _recipe_keys(value, path) if isinstance(value, BaseModel) else [path]
    return keys
