"""Sweep configuration: a YAML file of blocks, rules and choices, expanded to run configurations."""

import functools
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Self

from pydantic import (
    Field,
    ValidationError,
    model_validator,
)

from nacbench.errors import UserError, shown
from nacbench.formats.dotted import merge
from nacbench.recording.tags import NoteList, TagList, Tags
from nacbench.running.config import RunConfig
from nacbench.running.resolve import resolve
from nacbench.sweep.beforehand import Beforehand
from nacbench.sweep.block import MAX_RUNS, MOST_RUNS, Block, Trial, nested_settings, too_many
from nacbench.sweep.choice import Choice
from nacbench.sweep.only import Only
from nacbench.sweep.part import Part, Values
from nacbench.sweep.profile import Profile


class Rule(Part):
    """Resources for some runs: if a run matches ``when``, ``use`` overrides settings of the profile."""

    when: Values = Field(min_length=1)
    use: Values = Field(min_length=1)


# Fields of SweepConfig that are not keys of its file
DERIVED = ("blocks", "choices_are_read", "choices_are_own", "only")


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
    choices_are_own: bool = Field(True, description="of this file, not of one that it extends")
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
        elif self.choices and not choosing and self.choices_are_own:
            raise UserError(
                f"choices: none of the {len(self.choices)} in this file matches a run of sweep {self.name!r}; the "
                f"first one is for {shown(self.choices[0].when)}: name another file, or none"
            )
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


def matches(config: Mapping[str, Any], pattern: Mapping[str, Any]) -> bool:
    """Return whether a configuration has these values; ``task`` and ``model`` are names, a list means any of them."""
    for key, wanted in pattern.items():
        value = _look_up(config, key)
        options = wanted if isinstance(wanted, list | tuple) else [wanted]
        if value not in options:
            return False
    return True


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
