"""What all parts of a sweep's file have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict

Values = dict[str, Any]


class Part(BaseModel):
    """A part of a sweep: it has its known keys and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")
