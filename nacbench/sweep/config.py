"""Sweep configuration: a YAML file of blocks, rules and choices, expanded to run configurations."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from nacbench.errors import UserError, first_problem, shown, unknown
from nacbench.formats.dotted import merge
from nacbench.formats.extending import Layer, read_layers
from nacbench.recording.tags import NoteList, TagList, Tags
from nacbench.running.config import RunConfig
from nacbench.running.resolve import resolve
from nacbench.sweep.beforehand import Beforehand
from nacbench.sweep.block import MAX_RUNS, MOST_RUNS, Block, Trial, nested_settings, too_many
from nacbench.sweep.content import content_of
from nacbench.sweep.only import Only
from nacbench.sweep.part import Part, Values
from nacbench.sweep.profile import Profile


class Rule(Part):
    """Resources for some runs: if a run matches ``when``, ``use`` overrides settings of the profile."""

    when: Values = Field(min_length=1)
    use: Values = Field(min_length=1)


class Choice(Part):
    """Settings for some runs: if a run matches ``when``, ``use`` applies, except to settings that its block gives."""

    when: Values = Field(min_length=1)
    use: Values = Field(min_length=1)
    evidence: Values = Field({}, description="scores it was chosen by, for readers")


DERIVED = ("blocks", "choices_are_read", "only")  # fields of SweepConfig that are not keys of its file


class SweepConfig(Part):
    """Content of a sweep's YAML file; for examples see the suites in ``nacbench/sweep/suites``.

    The block at the top may be incomplete if ``include`` has blocks; they inherit from it what they do not set.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    blocks: tuple[Block, ...]
    exclude: tuple[Values, ...] = ()
    profile: Profile = Profile()
    resources: tuple[Rule, ...] = ()
    choices: tuple[Choice, ...] = Field(
        (), description="settings for some runs, including those that train networks for other runs"
    )
    choices_are_read: bool = Field(False, description="read from a file, which may hold more than this sweep needs")
    only: Only = Field(Only(), description="a part of the runs that was asked for on the command line")
    decide: Beforehand = Beforehand()
    plugins: tuple[str, ...] = ()
    tags: TagList = Field((), description="for all its runs; not part of their ids")
    notes: NoteList = Field((), description="for all its runs; not part of their ids")
    max_runs: int = Field(
        MAX_RUNS, ge=1, le=MOST_RUNS, strict=True, description="number of runs up to which it is planned"
    )

    @model_validator(mode="after")
    def _some_runs(self) -> Self:
        if not self.blocks:
            raise ValueError("no runs: give tasks and models, or include blocks that have them")
        if (count := sum(block.count() for block in self.blocks)) > self.max_runs:
            raise ValueError(too_many(count, "runs"))
        return self

    @property
    def marks(self) -> Tags:
        """Tags and notes of all its runs."""
        return Tags(tags=self.tags, notes=self.notes)

    def expand(self) -> list[RunConfig]:
        """Return the configurations of all runs without duplicates, in a fixed order.

        Raises:
            UserError: if a run is not valid; or if a pattern of ``exclude``, ``choices`` or ``resources`` matches no
                run, as it is then probably misspelt.
        """
        configs: dict[tuple[str, int], RunConfig] = {}
        excluding: set[int] = set()
        choosing: set[int] = set()
        resolved = _Resolver()
        for block in self.blocks:
            for values in block.runs():
                config = self._config(values, choosing, resolved)
                matching = _matching(config, self.exclude)
                excluding |= matching
                if not matching:
                    configs[resolved.settings(config), config.seed] = config
        self._refuse_idle("exclude", self.exclude, excluding)
        if not configs:
            raise UserError(f"sweep {self.name!r} has no runs left: all are excluded")
        if not self.choices_are_read:
            self._refuse_idle("choices: when", _whens(self.choices), choosing)
        whens = _whens(self.resources)
        planned = (run for config in configs.values() for run in _with_trained_on(config))
        serving = {index for run in planned for index in _matching(run, whens)} if whens else set()
        self._refuse_idle("resources: when", _whens(self.resources), serving)
        return self.only.of(list(configs.values()), self.name)

    def searched(self) -> Iterator[tuple[Block, Trial, list[RunConfig]]]:
        """Yield each trial of the searches on each rung, with the configurations of its runs, by seed as in the block.

        Runs that ``exclude`` and ``only`` leave out are among them.
        """
        resolved = _Resolver()
        for block in self.blocks:
            for trial in block.trials():
                yield block, trial, [self._config(values, set(), resolved) for values in trial.runs]

    @property
    def is_search(self) -> bool:
        """Whether a block has a search."""
        return any(block.search is not None for block in self.blocks)

    def with_seeds(self, seeds: Sequence[int]) -> Self:
        """Return the sweep with these seeds instead of its own.

        Raises:
            UserError: if it would have more runs than it may have.
        """
        blocks = tuple(block.model_copy(update={"seeds": tuple(seeds)}) for block in self.blocks)
        if (count := sum(block.count() for block in blocks)) > self.max_runs:
            raise UserError(f"sweep {self.name!r} with {len(seeds)} seeds: {too_many(count, 'runs')}")
        return self.model_copy(update={"blocks": blocks})

    def _refuse_idle(self, key: str, patterns: Sequence[Values], used: Set[int]) -> None:
        for index, pattern in enumerate(patterns):
            if index not in used:
                raise UserError(f"{key} {shown(pattern)} matches no run of sweep {self.name!r}; remove or correct it")

    def _config(self, values: Values, used: set[int], resolved: "_Resolver") -> RunConfig:
        """Return the run with the choices for it; indices of choices that match are added to ``used``."""
        config = self._with_choices(values, used, resolved)
        # by the profile: a login node has no GPU
        if values["precision"] == "auto" and self.profile_of(config).gpus:
            return self._with_choices({**values, "precision": "bf16"}, used, resolved)
        return config

    def _with_choices(self, values: Values, used: set[int], resolved: "_Resolver") -> RunConfig:
        """Return the run with the choices for it and for the run that trains its network; the block's settings win.

        Indices of choices that match are added to ``used``.
        """
        config = resolved(values)
        if not self.choices:
            return config
        chosen = self._chosen_for(config, used)
        if config.trained_on is not None:
            chosen = merge({"trained_on": self._chosen_for(config.trained_on, used)}, chosen)
        return resolved(merge(chosen, values)) if any(chosen.values()) else config

    def _chosen_for(self, config: RunConfig, used: set[int]) -> Values:
        matching = _matching(config, _whens(self.choices))
        used |= matching
        return functools.reduce(merge, [nested_settings(self.choices[index].use) for index in sorted(matching)], {})

    def profile_of(self, config: RunConfig) -> Profile:
        """Return the profile with the overrides of ``resources`` that match this run."""
        changes: Values = {}
        for index in sorted(_matching(config, _whens(self.resources))):
            changes |= self.resources[index].use
        return self.profile.changed(changes, "resources: use") if changes else self.profile


KEYS = (*Block.model_fields, "include", *(key for key in SweepConfig.model_fields if key not in DERIVED))


def matches(config: Mapping[str, Any], pattern: Mapping[str, Any]) -> bool:
    """Return whether a configuration has these values; ``task`` and ``model`` are names, a list means any of them."""
    for key, wanted in pattern.items():
        value = _look_up(config, key)
        options = wanted if isinstance(wanted, list | tuple) else [wanted]
        if value not in options:
            return False
    return True


def read_sweep(name: str, max_runs: int | None = None) -> SweepConfig:
    """Read a sweep from a YAML file, or the suite of this name.

    Args:
        name: path or suite.
        max_runs: instead of the file's.

    Raises:
        UserError: if there is no such file or suite, or the file is not a sweep; the message names the key.
            Also if ``max_runs`` is more than a sweep may have.
    """
    if max_runs is not None and max_runs > MOST_RUNS:
        raise UserError(f"--max-runs {max_runs}: a sweep has {MOST_RUNS:,} runs at most; make several sweeps")
    path = Path(name)
    looks_like_file = path.suffix in (".yaml", ".yml") or len(path.parts) > 1
    if not looks_like_file and not path.is_file():
        if name not in suites():
            raise unknown("suite", name, suites())
        path = _suite(name)
    layers = read_layers([path], KEYS, find=_found)
    if max_runs is not None:
        layers[-1].settings["max_runs"] = max_runs
    return _parsed(layers)


def _found(path: Path) -> Path:
    """Return the file that a sweep extends: at this path or, if there is none, the suite of this name."""
    # of a name that is too long for the file system, Path.exists raises an error
    return _suite(path.name) if path.name in suites() and not os.path.exists(path) else path  # noqa: PTH110


def _suite(name: str) -> Path:
    return Path(str(files("nacbench.sweep.suites").joinpath(f"{name}.yaml")))


def suites() -> list[str]:
    """Return the names of the sweeps that come with nacbench."""
    names = (entry.name for entry in files("nacbench.sweep.suites").iterdir())
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def parse_sweep(content: Mapping[str, Any], path: Path) -> SweepConfig:
    """Parse the content of a sweep's file.

    Args:
        content: keys and values of the file.
        path: of the file, for messages; a profile may be a path relative to its folder, and ``choices`` is one.

    Raises:
        UserError: if the content is not a sweep; the message names the key.
    """
    return _parsed([Layer(str(path), dict(content))])


def _parsed(layers: Sequence[Layer]) -> SweepConfig:
    """Parse the content of the last of some files, which extends the others."""
    content, places = content_of(layers, KEYS)
    path = layers[-1].path
    top = {key: content.pop(key) for key in Block.model_fields if key in content}
    include = content.pop("include", ())
    if not isinstance(include, Sequence) or not all(isinstance(block, Mapping) for block in include):
        raise UserError(
            f"{places['include']}: include = {shown(include)}: write a list of blocks, each with its tasks and models; "
            "a file to start from is named by extends"
        )
    whole = {"tasks", "models"} <= top.keys()
    grids = [("", top)] if whole or (top and not include) else []  # otherwise the top only has shared settings
    grids += [(f"include.{index}", block) for index, block in enumerate(include)]
    most = content.get("max_runs", MAX_RUNS)
    most = most if type(most) is int and most <= MOST_RUNS else MAX_RUNS  # SweepConfig refuses another value
    blocks = [_block(block, top, place, path, places, most) for place, block in grids]
    try:
        return SweepConfig.model_validate({"name": path.stem, **content, "blocks": blocks})
    except ValidationError as error:
        key = error.errors()[0]["loc"][:1]
        raise UserError(f"{places.get(str(*key), path)}: {first_problem(error, '')}") from None


def _block(own: Values, top: Values, name: str, path: Path, places: Mapping[str, str], most: int) -> Block:
    """Make a block from its own settings and those it inherits from the top.

    Args:
        own: settings of the block.
        top: settings at the top of the file.
        name: of the block in messages, such as ``include.0``; empty for the top itself.
        path: of the file, for messages.
        places: file of each key at the top.
        most: number of runs that the sweep may have.

    Raises:
        UserError: if the block is not valid; the message names the key where the file has it.
    """
    try:
        return Block.model_validate({**top, **own}, context={"max_runs": most})
    except ValidationError as error:
        where = error.errors()[0]["loc"]  # empty, if keys do not agree with each other
        key = str(where[0]) if where else "include"
        is_own = not where or key in own or key not in top
        file = places.get("include" if is_own and name else key, path)
        raise UserError(f"{file}: {first_problem(error, name if is_own else '')}") from None


def _whens(rules: Sequence[Rule | Choice]) -> list[Values]:
    return [rule.when for rule in rules]


def _matching(config: RunConfig, patterns: Sequence[Values]) -> set[int]:
    """Return the indices of the patterns that the run matches."""
    if not patterns:
        return set()
    plain = config.as_dict()
    return {index for index, pattern in enumerate(patterns) if matches(plain, pattern)}


def _with_trained_on(config: RunConfig) -> Iterator[RunConfig]:
    """Yield the run, then the run that trains its network, if there is one."""
    yield config
    if config.trained_on is not None:
        yield from _with_trained_on(config.trained_on)


class _Resolver:
    """Resolves the settings of runs; those that differ in nothing but their seed are resolved once."""

    def __init__(self) -> None:
        self._known: dict[str, RunConfig] = {}
        self._texts: dict[int, tuple[RunConfig, str]] = {}

    def __call__(self, values: Values) -> RunConfig:
        """Return the configuration; raises UserError if it is not valid."""
        rest = {key: value for key, value in values.items() if key != "seed"}
        key = repr(rest)
        known = self._known.get(key)
        # a seed for the run that trains the network must be that of the run itself: `resolve` says so
        if known is None or "'seed'" in key:
            known = self._known[key] = _resolved(values)
            return known
        try:
            return known.with_seed(values["seed"])
        except ValidationError:
            return _resolved(values)  # whose message names the setting

    def settings(self, config: RunConfig) -> str:
        """Return all settings but the seed as text, equal for equal ones."""
        # configurations that `with_seed` has made of one another share their plug-in
        place = id(config.model_plugin)
        if place not in self._texts:
            content = config.with_seed(0).identifying()
            self._texts[place] = config, repr(content)
        return self._texts[place][1]


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
