"""Recognise by its names which distributions a copy has; otherwise the nearest, and what it lacks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nacbench.data.mirror.door.distribution import ALL, DataSet, Distribution
from nacbench.data.mirror.door.shards import SHARD, missing_shard
from nacbench.data.mirror.door.tree import Tree, at, expanded, files_below, folders_of, joined, matching


@dataclass(frozen=True)
class Match:
    """A distribution that was recognised.

    Attributes:
        distribution: which.
        base: path of its folder in the tree.
        roles: paths of its files in the tree, by role, sorted.
    """

    distribution: Distribution
    base: str
    roles: dict[str, list[str]]

    @property
    def gives(self) -> set[str]:
        """The parts that it has; one that a form may have is called like the role of its files."""
        return {part for part in self.distribution.gives if self.roles.get(part) != []}


@dataclass(frozen=True)
class Near:
    """A distribution that was not recognised.

    Attributes:
        distribution: which.
        base: the folder that comes nearest.
        met: how many of its roles have files there.
        fault: what is wrong, after "it": the first pattern or part that is missing, or what another data set has.
        foreign: whether all roles have files, but something is there that the distribution never has.
    """

    distribution: Distribution
    base: str
    met: int
    fault: str
    foreign: bool = False

    @property
    def share(self) -> float:
        """Of what the distribution needs, how much is there."""
        return self.met / (len(self.distribution.needs) + len(self.distribution.beside))

    def nearer(self, other: Near | None) -> Near:
        """Return whichever has more of what it needs; on a tie the other one."""
        return self if other is None or (self.met, self.foreign) > (other.met, other.foreign) else other


def recognised(tree: Tree, known: DataSet, taken: set[str]) -> tuple[list[Match], Near | None]:
    """Return the distributions in a tree, and the nearest of those that are not there.

    Distributions are tried in their order. Each must give a part of the data set that none before it gives; of one that
    gives others, too, only what is new counts.

    Args:
        tree: names of files.
        known: the data set.
        taken: parts that are found already; those found now are added.
    """
    matches: list[Match] = []
    nearest: Near | None = None
    for distribution in known.distributions:
        if ALL in taken or taken.issuperset(distribution.gives) or (taken and ALL in distribution.gives):
            continue
        found, near = _found(tree, distribution, known.table.class_names or ())
        found = [match for match in found if not match.gives <= taken]
        matches += found
        if found:
            taken |= set().union(*(match.gives for match in found))
        elif near:
            nearest = near.nearer(nearest)
    return matches, nearest


def _found(tree: Tree, distribution: Distribution, classes: Collection[str]) -> tuple[list[Match], Near | None]:
    """Return where a distribution is, or else the folder that comes nearest."""
    matches: list[Match] = []
    nearest: Near | None = None
    hints = distribution.hints
    for base in sorted(folders_of(tree), key=lambda path: not any(hint in path for hint in hints)):
        if any(base.startswith(f"{match.base}/") for match in matches):
            continue
        tried = _tried(tree, base, distribution, classes)
        if isinstance(tried, Near):
            nearest = tried.nearer(nearest)
        else:
            matches.append(tried)
            if not distribution.several:
                break
    return matches, nearest


def _tried(tree: Tree, base: str, distribution: Distribution, classes: Collection[str]) -> Match | Near:
    """Return the match in one folder, or the first thing that is wrong with it and how much it has."""
    place = at(tree, base)
    assert place is not None
    lacking = [
        (role, patterns)
        for role, patterns in distribution.patterns(distribution.needs).items()
        if not any(_is_there(place, pattern) for pattern in patterns)
    ]
    met = len(distribution.needs) - len(lacking)
    if not lacking:  # only now, as it looks everywhere
        lacking = [
            (role, patterns)
            for role, patterns in distribution.patterns(distribution.beside).items()
            if not any(_is_there(tree, f"**/{pattern}") for pattern in patterns)
        ]
    if lacking:
        role, patterns = lacking[0]
        where, above = (place, "") if role in distribution.needs else (tree, "**/")
        first = next(own for own in expanded(patterns[0]) if not _is_there(where, f"{above}{own}"))
        shard = missing_shard(list(matching(where, f"{above}{first}")))
        return Near(distribution, base, met, f"lacks {shard or first}")
    roles = {}
    for role, patterns in distribution.patterns({**distribution.needs, **distribution.may}).items():
        files = next(filter(None, (list(_files(place, pattern)) for pattern in patterns)), [])
        roles[role] = files
    if foreign := _foreign(place, roles, distribution, classes):
        return Near(distribution, base, 0, f"has {foreign}", foreign=True)
    roles = {role: [joined(base, path) for path in files] for role, files in roles.items()}
    for role, patterns in distribution.patterns(distribution.beside).items():
        roles[role] = next(filter(None, (list(_files(tree, f"**/{pattern}")) for pattern in patterns)))
    return Match(distribution, base, roles)


def _foreign(
    place: Tree, roles: Mapping[str, Sequence[str]], distribution: Distribution, classes: Collection[str]
) -> str | None:
    """Return what a folder has that the distribution never has, if there is anything."""
    for pattern in distribution.never:
        if found := next(matching(place, pattern), None):
            return f"{found}, which no such copy has"
    for role, part in distribution.classes.items():
        for name in dict.fromkeys(path.split("/")[part] for path in roles[role]):
            if name not in classes:
                return f"{name}, which is none of the {len(classes)} classes"
    return None


def _is_there(place: Tree, pattern: str) -> bool:
    """Return whether something matches each pattern that this one stands for."""
    return all(_has(place, own) for own in expanded(pattern))


def _has(place: Tree, pattern: str) -> bool:
    """Return whether something matches; of files that say how many they are, all must be there."""
    first = next(matching(place, pattern), None)
    if first is None:
        return False
    return SHARD.search(first) is None or missing_shard(list(matching(place, pattern))) is None


def _files(place: Tree, pattern: str) -> Iterator[str]:
    for own in expanded(pattern):
        for path in matching(place, own):
            yield from files_below(place, path)
