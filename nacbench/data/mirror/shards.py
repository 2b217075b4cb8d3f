"""Parts of one file as the hub calls them, ``train-00000-of-00003.parquet``, which must all be there."""

import re
from collections.abc import Sequence

SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.[a-z]+$")


def same_part(names: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two names of one part, such as two generations of a file that differ in a digest; or None."""
    known: dict[str, str] = {}
    for name in names:
        match = SHARD.search(name)
        if match and known.setdefault(match[1], name) != name:
            return known[match[1]], name
    return None


def lacks_shards(names: Sequence[str]) -> bool:
    """Return whether some of the parts are not there that these names speak of."""
    found = [match for match in map(SHARD.search, names) if match]
    return bool(found) and len({match[1] for match in found}) < int(found[0][2])
