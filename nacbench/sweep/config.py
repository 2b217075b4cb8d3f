"""SweepConfig: many runs in one YAML file, expanded to configurations of runs."""

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nacbench.config import RunConfig, merge, parse_setting, read_yaml, resolve
from nacbench.errors import UserError, unknown
from nacbench.plugin import first_problem
from nacbench.sweep.profile import Profile

Values = dict[str, Any]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Block(_Part):
    """A grid of runs: every task with every model, seed and combination of the axes."""

    tasks: tuple[str, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    scale: str = "mini"
    precision: str = "auto"
    axes: dict[str, tuple[Any, ...]] = Field({}, description="settings as for --set, each with its values")
    set: Values = Field({}, description="settings as for --set, the same for all runs")

    def runs(self) -> Iterator[Values]:
        """Each run's settings, as `nacbench.config.resolve` takes them, in a fixed order."""
        fixed = _nested(self.set)
        for task, model, seed in itertools.product(self.tasks, self.models, self.seeds):
            own = {
                "task": {"name": task},
                "model": {"name": model},
                "scale": self.scale,
                "seed": seed,
                "precision": self.precision,
            }
            for values in itertools.product(*self.axes.values()):
                yield merge(merge(fixed, own), _nested(dict(zip(self.axes, values, strict=True))))


class Rule(_Part):
    """Resources of their own for some runs: where ``when`` holds, ``use`` changes the profile."""

    when: Values = Field(min_length=1)
    use: Values = Field(min_length=1)


class Choice(_Part):
    """Settings of their own for some runs: where ``when`` holds, so does ``use``, unless the block says otherwise."""

    when: Values = Field(min_length=1)
    use: Values = Field(min_length=1)
    evidence: Values = Field({}, description="for people: what it was chosen by")


class SweepConfig(_Part):
    """What a sweep's file says; see the suites in ``nacbench/suites`` for examples.

    The block at the top may be left out where ``include`` has blocks; what an included block does not say, it takes
    from the top.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    blocks: tuple[Block, ...]
    exclude: tuple[Values, ...] = ()
    profile: Profile = Profile()
    resources: tuple[Rule, ...] = ()
    choices: tuple[Choice, ...] = Field((), description="settings for some runs, and for the sources of others")
    plugins: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _some_runs(self) -> Self:
        if not self.blocks:
            raise ValueError("there are no runs: give tasks and models, or include blocks that have them")
        return self

    def expand(self) -> list[RunConfig]:
        """All runs, each once, in a fixed order.

        Raises:
            UserError: if a run cannot be, naming it; or if an exclusion excludes nothing, which is a slip of the pen.
        """
        configs: dict[str, RunConfig] = {}
        used: set[int] = set()
        for block in self.blocks:
            for values in block.runs():
                config = self._with_choices(values)
                if block.precision == "auto" and self.profile_of(config).gpus:  # not as where it is submitted from
                    config = self._with_choices({**values, "precision": "bf16"})
                plain = config.as_dict()
                matching = {i for i, pattern in enumerate(self.exclude) if matches(plain, pattern)}
                used |= matching
                if not matching:
                    configs[repr(plain)] = config
        for index, pattern in enumerate(self.exclude):
            if index not in used:
                raise UserError(f"exclude {pattern!r} matches no run of sweep {self.name!r}; remove or mend it")
        if not configs:
            raise UserError(f"sweep {self.name!r} has no runs left: all are excluded")
        return list(configs.values())

    def _with_choices(self, values: Values) -> RunConfig:
        """The run with what was chosen for it and for its source; what the block itself sets is left."""
        config = _resolved(values)
        chosen = self._chosen_for(config)
        if config.source is not None:
            chosen = merge({"source": self._chosen_for(config.source)}, chosen)
        return _resolved(merge(chosen, values)) if any(chosen.values()) else config

    def _chosen_for(self, config: RunConfig) -> Values:
        plain = config.as_dict()
        found = [_nested(choice.use) for choice in self.choices if matches(plain, choice.when)]
        return functools.reduce(merge, found, {})

    def profile_of(self, config: RunConfig) -> Profile:
        """The profile with the resources that this run needs."""
        plain = config.as_dict()
        changes: Values = {}
        for rule in self.resources:
            if matches(plain, rule.when):
                changes |= rule.use
        return self.profile.changed(changes) if changes else self.profile


def matches(config: Mapping[str, Any], pattern: Mapping[str, Any]) -> bool:
    """Whether a configuration has these values; ``task`` and ``model`` are names, a list means any of them.

    Raises:
        UserError: if no run has such a setting.
    """
    for key, wanted in pattern.items():
        value = _look_up(config, key)
        options = wanted if isinstance(wanted, list | tuple) else [wanted]
        if value not in options:
            return False
    return True


def read_sweep(name: str) -> SweepConfig:
    """A sweep from a file, or the suite of this name.

    Raises:
        UserError: if there is neither, or the file is not a sweep; the message names the key.
    """
    path = Path(name)
    looks_like_file = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    if not looks_like_file and not path.is_file():
        if name not in suites():
            raise unknown("suite", name, suites())
        path = Path(str(files("nacbench.suites").joinpath(f"{name}.yaml")))
    return parse_sweep(read_yaml(path), path)


def suites() -> list[str]:
    """Names of the sweeps that come with the suite."""
    names = (entry.name for entry in files("nacbench.suites").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def parse_sweep(content: Mapping[str, Any], path: Path) -> SweepConfig:
    """The sweep in a file's content; a profile that is a path is looked for beside the file, too."""
    content = {**content}
    known = {*Block.model_fields, *SweepConfig.model_fields, "include"} - {"blocks"}
    for key in content:
        if key not in known:
            raise unknown(f"key in sweep {path}", key, known)
    top = {key: content.pop(key) for key in Block.model_fields if key in content}
    include = content.pop("include", ())
    if not isinstance(include, Sequence) or not all(isinstance(block, Mapping) for block in include):
        raise UserError(f"{path}: include = {include!r}: write a list of blocks, each with its tasks and models")
    whole = {"tasks", "models"} <= top.keys()
    grids = [top] if whole or (top and not include) else []  # else the top only says what the blocks share
    grids += [{**top, **block} for block in include]
    profile = content.get("profile")
    if isinstance(profile, str):
        content["profile"] = Profile.read(profile, near=path.parent)
    choices = content.get("choices")
    if isinstance(choices, str):
        content["choices"] = read_choices(path.parent / choices)
    try:
        return SweepConfig.model_validate({"name": path.stem, **content, "blocks": [_listed(grid) for grid in grids]})
    except ValidationError as error:
        raise UserError(f"{path}: {first_problem(error, '')}") from None


def read_choices(path: Path) -> list[Values]:
    """What ``nacbench tune`` wrote: a file with the key ``choices``; what else it says is for people.

    Raises:
        UserError: if there is no such file, or it is another's.
    """
    content = read_yaml(path)
    if not isinstance(content.get("choices"), list):
        raise UserError(f"{path} has no list called choices; nacbench tune writes such a file")
    chosen: list[Values] = content["choices"]
    return chosen


def _listed(grid: Mapping[str, Any]) -> Values:
    """The same with lists where one value was given, and a seed's ``0..4`` written out."""
    grid = dict(grid)
    for key in ("tasks", "models", "seeds"):
        value = grid.get(key)
        if isinstance(value, str) and (span := re.fullmatch(r"(\d+)\.\.(\d+)", value)):
            grid[key] = list(range(int(span[1]), int(span[2]) + 1))
        elif isinstance(value, str | int | float):
            grid[key] = [value]
    axes = grid.get("axes")
    if isinstance(axes, Mapping):
        grid["axes"] = {key: value if isinstance(value, list) else [value] for key, value in axes.items()}
    return grid


def _nested(settings: Mapping[str, Any]) -> Values:
    """``{"training.lr": 1e-3}`` as ``{"training": {"lr": 1e-3}}``."""
    nested: Values = {}
    for key, value in settings.items():
        setting = parse_setting(f"{key}=0")  # checks the key
        nested = merge(nested, _filled(setting, value))
    return nested


def _filled(setting: Mapping[str, Any], value: Any) -> Values:
    return {key: _filled(part, value) if isinstance(part, dict) else value for key, part in setting.items()}


def _resolved(values: Values) -> RunConfig:
    try:
        return resolve(values)
    except UserError as error:
        run = f"{values['task']['name']} · {values['model']['name']} · seed {values['seed']}"
        raise UserError(f"run {run}: {error}") from None


def _look_up(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping) and "name" in value:
        return value["name"]
    return value
