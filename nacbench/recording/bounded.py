"""Types with bounds for what is read from files that others may have written: numbers, names, texts, digests, times."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from nacbench.contracts.numbers import LARGEST

LARGEST_INT = 2**63 - 1  # what a column of the index, a Parquet file, holds

Count = Annotated[int, Field(ge=0, le=LARGEST_INT)]
Seed = Count
Integer = Annotated[int, Field(ge=-LARGEST_INT, le=LARGEST_INT)]
Positive = Annotated[int, Field(ge=1, le=LARGEST_INT)]
Classes = Annotated[int, Field(ge=0, le=10**7)]  # a network's last layer is made with it
Threads = Annotated[int, Field(ge=1, le=2**16)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]

# Names may have any characters: what shows them escapes them. Those of folders in a store may not lead out of it
Name = Annotated[str, Field(min_length=1, max_length=200)]
FolderName = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*$")]
Text = Annotated[str, Field(max_length=100_000)]
ID = "[0-9a-f]{12}"
RunId = Annotated[str, Field(pattern=f"^{ID}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[
    str, Field(max_length=40, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[0-9.:+Z-]*$")
]


class Part(BaseModel):
    """A part of a file that is read: it has its known keys and no others, and its numbers are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
