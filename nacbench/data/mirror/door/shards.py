"""Parts of one file as the hub calls them, ``train-00000-of-00003.parquet``, which must all be there."""

import re
from collections.abc import Sequence

SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.[a-z]+$")


def two_generations(names: Sequence[str]) -> tuple[str, str] | None:
    """Return two names of a split's files that cannot belong together, or None.

    Names of those that do, such as ``train-00001-of-00003``, have one total and different numbers. Other names say
    nothing, but not beside such ones.
    """
    shards = [(name, SHARD.search(name)) for name in names]
    for number, (name, shard) in enumerate(shards):
        for other, earlier in shards[:number]:
            if shard is None and earlier is None:
                continue
            if shard is None or earlier is None or shard[2] != earlier[2] or shard[1] == earlier[1]:
                return other, name
    return None


def missing_shard(names: Sequence[str]) -> str | None:
    """Return the start of the first name that is not among those that these names speak of, or None."""
    found = [match for match in map(SHARD.search, names) if match]
    there = {match[1] for match in found}
    for number in (f"{number:05}" for match in found[:1] for number in range(int(match[2]))):
        if number not in there:
            first = found[0]
            return f"{first.string[: first.start(1)]}{number}{first.string[first.end(1) : first.end(2)]}"
    return None
