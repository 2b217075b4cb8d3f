"""``nacbench tasks NAME``: print one task's metadata, options, recipes and data."""

from pathlib import Path
from typing import Any

from nacbench.cli.shared.needs import NOTHING_TO_FETCH, needed, what_is_missing, with_trained_on
from nacbench.cli.shared.settings_tables import Settings, print_facts
from nacbench.formats.terminal import say_json

FACTS = (
    "title",
    "modality",
    "protocol",
    "trained_on",
    "classes",
    "targets",
    "metric",
    "version",
    "licence",
    "citation",
    "provenance",
)


def print_task(name: str, data_root: Path, as_json: bool) -> None:
    """Print a task's metadata, its options and recipes at each scale, and the state of its data.

    Raises:
        UserError: if no task has this name, or it cannot be loaded.
    """
    about = about_task(name, data_root)
    if as_json:
        say_json(about)
        return
    print_facts([(key.replace("_", " "), about[key]) for key in ("name", *FACTS, "origin")])
    print_facts([("numbers", f"{own['name']}: {own['about']}; {own['better']} is better") for own in about["metrics"]])
    print_facts([("data", f"{row['place']} ({row['state']})") for row in about["data"]])
    if not about["data"]:
        print_facts([("data", about["missing"] or NOTHING_TO_FETCH)])
    presets = {scale: about["presets"].get(scale, {}) for scale in about["scales"]}
    means = about["meanings"]
    Settings(section="task", about=means["task"], defaults=about["options"], by_preset=presets).print()
    Settings(
        section="training", about=means["training"], defaults=about["training"], by_preset=about["recipes"]
    ).print()


def about_task(name: str, data_root: Path) -> dict[str, Any]:
    """Return a task's metadata, options, recipes and data as JSON-compatible data."""
    from nacbench.contracts.described import option_texts, recipe_defaults, recipe_texts
    from nacbench.recording.metric_facts import MetricFacts
    from nacbench.registry import TASKS

    tasks = with_trained_on(name)
    cls = type(tasks[name])
    data = []
    for files in needed(tasks.values()):
        missing = files.missing(data_root)
        place = str(files.place(data_root))
        data.append({"files": str(files), "place": place, "state": "missing" if missing else "ready"})
    return {
        "name": name,
        **{fact: getattr(cls, fact, None) for fact in FACTS},  # only an EvaluationTask has trained_on
        "metrics": [{"name": own.name, **MetricFacts.of(own).model_dump()} for own in cls.metrics],
        "origin": entry.origin if (entry := TASKS.find(name)) else None,
        "scales": list(cls.recipes),
        "options": cls.defaults(),
        "presets": {scale: dict(values) for scale, values in cls.presets.items()},
        "recipes": {scale: recipe.model_dump(mode="json", exclude_unset=True) for scale, recipe in cls.recipes.items()},
        "training": recipe_defaults(type(next(iter(cls.recipes.values())))),
        "meanings": {
            "task": option_texts(cls),
            "training": {key: text for recipe in cls.recipes.values() for key, text in recipe_texts(recipe).items()},
        },
        "data": data,
        "missing": what_is_missing(tasks.values(), data_root),
    }
