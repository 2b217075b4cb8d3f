"""SweepConfig: many runs in one YAML file, expanded to configurations of runs."""

import functools
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from nacbench.contracts.plugin import first_problem
from nacbench.errors import UserError, shown, unknown
from nacbench.running.config import RunConfig, merge, parse_setting, read_yaml, resolve
from nacbench.sweep.profile import Profile

Values = dict[str, Any]

MAX_RUNS = 10_000  # more is a slip of the pen, and would take minutes to plan


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Block(_Part):
    """A grid of runs: every task with every model, seed and combination of the axes."""

    tasks: tuple[str, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    scale: str = "mini"
    precision: str = "auto"
    axes: dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]] = Field(
        {}, description="settings as for --set, each with its values"
    )
    set: Values = Field({}, description="settings as for --set, the same for all runs")

    @field_validator("tasks", "models", "seeds", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """A list where one value was given, or a span of seeds such as ``0..4``."""
        if isinstance(value, str) and (span := re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", value)):
            return _span(int(span[1]), int(span[2]))
        return [value] if isinstance(value, str | int | float) else value

    @field_validator("axes", mode="before")
    @classmethod
    def _with_lists(cls, axes: Any) -> Any:
        if not isinstance(axes, Mapping):
            return axes
        return {key: value if isinstance(value, list) else [value] for key, value in axes.items()}

    def __len__(self) -> int:
        """How many runs, without making them."""
        return math.prod(map(len, (self.tasks, self.models, self.seeds, *self.axes.values())))

    def runs(self) -> Iterator[Values]:
        """Each run's settings, as `nacbench.running.config.resolve` takes them, in a fixed order."""
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


DERIVED = ("blocks", "choices_are_read")  # fields of a sweep that are not keys of its file


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
    choices: tuple[Choice, ...] = Field(
        (), description="settings for some runs, whether wanted for themselves or for their networks"
    )
    choices_are_read: bool = Field(False, description="from a file, which may hold more than this sweep needs")
    plugins: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _some_runs(self) -> Self:
        if not self.blocks:
            raise ValueError("there are no runs: give tasks and models, or include blocks that have them")
        if (count := sum(map(len, self.blocks))) > MAX_RUNS:
            raise ValueError(f"these are {count} runs, of which a sweep has {MAX_RUNS} at most; make several sweeps")
        return self

    def expand(self) -> list[RunConfig]:
        """All runs, each once, in a fixed order.

        Raises:
            UserError: if a run cannot be, naming it; or if a pattern matches nothing, which is a slip of the pen.
        """
        configs: dict[str, RunConfig] = {}
        excluding: set[int] = set()
        choosing: set[int] = set()
        for block in self.blocks:
            for values in block.runs():
                config = self._with_choices(values, choosing)
                if block.precision == "auto" and self.profile_of(config).gpus:  # not as where it is submitted from
                    config = self._with_choices({**values, "precision": "bf16"}, choosing)
                matching = _matching(config, self.exclude)
                excluding |= matching
                if not matching:
                    configs[repr(config.as_dict())] = config
        self._refuse_idle("exclude", self.exclude, excluding)
        if not configs:
            raise UserError(f"sweep {self.name!r} has no runs left: all are excluded")
        if not self.choices_are_read:
            self._refuse_idle("choices: when", _whens(self.choices), choosing)
        planned = [run for config in configs.values() for run in _with_trained_on(config)]
        serving = {index for run in planned for index in _matching(run, _whens(self.resources))}
        self._refuse_idle("resources: when", _whens(self.resources), serving)
        return list(configs.values())

    def _refuse_idle(self, key: str, patterns: Sequence[Values], used: Set[int]) -> None:
        for index, pattern in enumerate(patterns):
            if index not in used:
                raise UserError(f"{key} {shown(pattern)} matches no run of sweep {self.name!r}; remove or mend it")

    def _with_choices(self, values: Values, used: set[int]) -> RunConfig:
        """Return the run with the choices for it and for the run that trains its network; the block's settings win.

        The choices that were looked to are added to ``used``.
        """
        config = _resolved(values)
        chosen = self._chosen_for(config, used)
        if config.trained_on is not None:
            chosen = merge({"trained_on": self._chosen_for(config.trained_on, used)}, chosen)
        return _resolved(merge(chosen, values)) if any(chosen.values()) else config

    def _chosen_for(self, config: RunConfig, used: set[int]) -> Values:
        matching = _matching(config, _whens(self.choices))
        used |= matching
        return functools.reduce(merge, [_nested(self.choices[index].use) for index in sorted(matching)], {})

    def profile_of(self, config: RunConfig) -> Profile:
        """The profile with the resources that this run needs."""
        changes: Values = {}
        for index in sorted(_matching(config, _whens(self.resources))):
            changes |= self.resources[index].use
        return self.profile.changed(changes, "resources: use") if changes else self.profile


KEYS = (*Block.model_fields, "include", *(key for key in SweepConfig.model_fields if key not in DERIVED))


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
        path = Path(str(files("nacbench.sweep.suites").joinpath(f"{name}.yaml")))
    return parse_sweep(read_yaml(path, KEYS), path)


def suites() -> list[str]:
    """Names of the sweeps that come with the suite."""
    names = (entry.name for entry in files("nacbench.sweep.suites").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def parse_sweep(content: Mapping[str, Any], path: Path) -> SweepConfig:
    """The sweep in a file's content; a profile that is a path is looked for beside the file, too."""
    content = {**content}
    for key in content:
        if key not in KEYS:
            raise unknown(f"key in sweep {path}", key, KEYS)
    top = {key: content.pop(key) for key in Block.model_fields if key in content}
    include = content.pop("include", ())
    if not isinstance(include, Sequence) or not all(isinstance(block, Mapping) for block in include):
        raise UserError(f"{path}: include = {shown(include)}: write a list of blocks, each with its tasks and models")
    whole = {"tasks", "models"} <= top.keys()
    grids = [("", top)] if whole or (top and not include) else []  # else the top only says what the blocks share
    grids += [(f"include.{index}", block) for index, block in enumerate(include)]
    profile = content.get("profile")
    if isinstance(profile, str):
        content["profile"] = Profile.read(profile, near=path.parent)
    choices = content.get("choices")
    if isinstance(choices, str):
        content |= {"choices": read_choices(path.parent / choices), "choices_are_read": True}
    blocks = [_block(block, top, place, path) for place, block in grids]
    try:
        return SweepConfig.model_validate({"name": path.stem, **content, "blocks": blocks})
    except ValidationError as error:
        raise UserError(f"{path}: {first_problem(error, '')}") from None


def read_choices(path: Path) -> list[Values]:
    """What ``nacbench tune`` wrote: a file with the key ``choices``; what else it says is for people.

    Raises:
        UserError: if there is no such file, or it is another's.
    """
    content = read_yaml(path, ["choices"])
    if not isinstance(content.get("choices"), list):
        raise UserError(f"{path} has no list called choices; nacbench tune writes such a file")
    chosen: list[Values] = content["choices"]
    return chosen


def _block(own: Mapping[str, Any], top: Mapping[str, Any], name: str, path: Path) -> Block:
    """A block of a file: what it says, and what it takes from the top.

    Args:
        name: of the block in the file, empty for the top itself.
    """
    try:
        return Block.model_validate({**top, **own})
    except ValidationError as error:
        key = error.errors()[0]["loc"][0]
        place = "" if key in top and key not in own else name
        raise UserError(f"{path}: {first_problem(error, place)}") from None


def _span(first: int, last: int) -> list[int]:
    """All from the first to the last; counted before they are made."""
    if last < first:
        raise ValueError(f"the range {first}..{last} is empty; write the smaller number first")
    if last - first >= MAX_RUNS:
        raise ValueError(f"these are {last - first + 1} seeds, but a sweep has {MAX_RUNS} runs at most")
    return list(range(first, last + 1))


def _whens(rules: Sequence[Rule | Choice]) -> list[Values]:
    return [rule.when for rule in rules]


def _matching(config: RunConfig, patterns: Sequence[Values]) -> set[int]:
    """Which of the patterns the run matches, by their places in the list."""
    plain = config.as_dict()
    return {index for index, pattern in enumerate(patterns) if matches(plain, pattern)}


def _with_trained_on(config: RunConfig) -> Iterator[RunConfig]:
    """The run, the one that its network is taken from, and so on."""
    yield config
    if config.trained_on is not None:
        yield from _with_trained_on(config.trained_on)


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
