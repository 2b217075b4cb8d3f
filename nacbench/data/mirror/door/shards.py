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


def lacks_shards(names: Sequence[str]) -> bool:
    """Return whether some of the parts are not there that these names speak of."""
    found = [match for match in map(SHARD.search, names) if match]
    return bool(found) and len({match[1] for match in found}) < int(found[0][2])
