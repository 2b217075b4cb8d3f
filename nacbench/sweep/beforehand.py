"""What a sweep's file fixes before the first look at its runs: which models are compared, and what does not matter."""

from typing import Annotated

from pydantic import Field, StringConstraints

from nacbench.sweep.part import Part

LARGEST_MARGIN = 1e6  # in units of a metric
Name = Annotated[str, StringConstraints(min_length=1)]


class Beforehand(Part):
    """Key ``decide`` of a sweep's file, for ``nacbench sweep decide``, whose options override it."""

    compare: tuple[tuple[Name, Name], ...] = Field(
        (), description="pairs of models, or of labels of series; none: NAC with every other model"
    )
    margin: float = Field(
        0.0,
        ge=0,
        le=LARGEST_MARGIN,
        allow_inf_nan=False,
        strict=True,  # else true is one point
        description="of practical equivalence, in points of an accuracy, otherwise in units of the metric",
    )
