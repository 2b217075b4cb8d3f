"""Types of numbers that users give. Each has bounds; a number outside of them is taken for a typing mistake.

They are strict: pydantic would otherwise accept "3", 3.0 and true for an integer.
"""

from typing import Annotated

from pydantic import Field

LARGEST = 10.0**100  # of a metric, either way: sums of squares of differences must stay finite

Count = Annotated[int, Field(gt=0, le=2**20, strict=True)]
Doublings = Annotated[int, Field(gt=0, le=8, strict=True)]  # levels, each twice as wide as the one before
Limit = Annotated[int, Field(ge=0, lt=2**31, strict=True)]  # 0: no limit
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]  # torch, NumPy and tables hold it as a signed 64-bit integer
Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
Decay = Annotated[float, Field(ge=0, lt=1, strict=True)]  # of a moving average, which 1 would never change
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False, strict=True)]
Workers = Annotated[int, Field(ge=0, le=256, strict=True)]  # processes that prepare batches
