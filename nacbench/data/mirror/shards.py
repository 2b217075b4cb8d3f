"""Parts of one file as the hub calls them, ``train-00000-of-00003.parquet``, which must all be there."""

import re
from collections.abc import Sequence

SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.[a-z]+$")


def lacks_shards(names: Sequence[str]) -> bool:
    """Return whether some of the parts are not there that these names speak of."""
    found = [match for match in map(SHARD.search, names) if match]
    return bool(found) and len({match[1] for match in found}) < int(found[0][2])
