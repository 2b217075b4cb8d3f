"""A choice of a sweep's file, or of one that ``nacbench tune`` wrote: settings for some runs, and what was tried."""

from collections.abc import Mapping

from pydantic import ConfigDict, Field, field_validator

from nacbench.running.config import RunConfig
from nacbench.suggestions import hint
from nacbench.sweep.part import Part, Values


class Evidence(Part):
    """What a choice was made by. Reports read these keys; others are for readers."""

    model_config = ConfigDict(extra="allow")

    tried: Values = Field({}, description="scores by settings")
    seeds: tuple[int, ...] = ()
    epochs: int = 0
    search: Values = Field({}, description="the search that tried them")
    at_the_edge: tuple[str, ...] = Field((), description="settings whose best value is the smallest or largest")


class Choice(Part):
    """Settings for some runs: if a run matches ``when``, ``use`` applies, except to settings that its block gives."""

    when: Values = Field(min_length=1)
    use: Values = Field(min_length=1)
    evidence: Evidence = Field(Evidence(), description="scores it was chosen by")

    @field_validator("when")
    @classmethod
    def _names_of_settings(cls, when: Values) -> Values:
        """Refuse what no run can match: a file may hold more than a sweep needs, so that it would not be noticed."""
        for key, value in when.items():
            section = key.split(".")[0]
            if section not in RunConfig.model_fields:
                raise ValueError(f"unknown setting {key!r}; {hint(section, RunConfig.model_fields)}")
            if isinstance(value, Mapping):
                raise ValueError(f"{key} is a section; write each of its settings as {key}.NAME")
        return when


class ChoiceFile(Part):
    """Content of a file of choices."""

    choices: tuple[Choice, ...]
