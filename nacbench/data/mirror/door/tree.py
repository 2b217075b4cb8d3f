"""Names of files as a tree, and patterns over them: a copy is recognised by its names, before anything is unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import translate
from functools import cache

Tree = dict[str, "Tree | None"]  # a folder's entries by name; None stands for a file

JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini", "lost+found"}  # beside hidden files, such as .DS_Store and ._name
ANY_DEPTH = "**"
BRACES = re.compile(r"\{([^{}]*)\}")
DEEPEST_BASE = 12  # folders above a copy; the hub's own cache has four of its own, and Kaggle's ImageNet three
MOST_BASES = 20_000  # folders that are tried as the top of a copy


def is_junk(name: str) -> bool:
    """Return whether an entry is an operating system's own, or hidden, and not data."""
    return name.startswith(".") or name in JUNK


def plant(names: Iterable[str]) -> Tree:
    """Return the tree of some paths; junk is left out, and so are folders without a file."""
    tree: Tree = {}
    for name in names:
        *folders, last = [part for part in name.split("/") if part not in ("", ".")] or [""]
        if not last or name.endswith("/") or is_junk(last) or any(map(is_junk, folders)):
            continue
        place = tree
        for folder in folders:
            place = _folder(place, folder)
        place.setdefault(last, None)
    return tree


def _folder(place: Tree, name: str) -> Tree:
    """Return a folder's entries; it is made if there is none, or only a file of that name."""
    inner = place.get(name)
    if inner is None:
        place[name] = made = Tree()
        return made
    return inner


def at(tree: Tree, path: str) -> Tree | None:
    """Return what a path leads to: a folder's entries, or None if it is a file. The path must be there."""
    place: Tree | None = tree
    for part in filter(None, path.split("/")):
        assert place is not None
        place = place[part]
    return place


def folders_of(tree: Tree) -> Iterator[str]:
    """Yield the paths of the tree's own top ("") and its folders, those nearer to the top first, each level by name."""
    level = [("", tree)]
    tried = 0
    for _ in range(DEEPEST_BASE + 1):
        for path, _ in level:
            yield path
            tried += 1
            if tried == MOST_BASES:
                return
        level = [(joined(path, name), inner) for path, own in level for name, inner in sorted_folders(own)]


def is_searched(tree: Tree) -> bool:
    """Return whether `folders_of` yields all folders of a tree."""
    return sum(1 for _ in folders_of(tree)) == _count_folders(tree)


def _count_folders(tree: Tree) -> int:
    return 1 + sum(_count_folders(inner) for inner in tree.values() if inner is not None)


def sorted_folders(tree: Tree) -> list[tuple[str, Tree]]:
    """Return the folders in a tree, by name."""
    return sorted(((name, inner) for name, inner in tree.items() if inner is not None), key=lambda pair: pair[0])


def joined(folder: str, name: str) -> str:
    """Return the path of an entry of a folder, which may be the top ("")."""
    return f"{folder}/{name}" if folder and name else folder or name


def expanded(pattern: str) -> list[str]:
    """Return the patterns that a pattern with ``{a,b}`` stands for; something must match each of them."""
    found = BRACES.search(pattern)
    if found is None:
        return [pattern]
    before, after = pattern[: found.start()], pattern[found.end() :]
    return [own for part in found[1].split(",") for own in expanded(f"{before}{part}{after}")]


def matching(tree: Tree, pattern: str) -> Iterator[str]:
    """Yield the paths of files and folders that match a pattern, by name.

    Args:
        tree: where to look.
        pattern: a path, in whose parts ``*``, ``?`` and ``[…]`` stand for characters whatever their case, and a part
            ``**`` for any number of folders. A plain part is meant as written.
    """
    return _matching(tree, pattern.split("/"), "")


def _matching(tree: Tree, parts: list[str], path: str) -> Iterator[str]:
    first, *rest = parts
    if first == ANY_DEPTH:
        yield from _matching(tree, rest, path)
        for name, inner in sorted_folders(tree):
            yield from _matching(inner, parts, joined(path, name))
        return
    for name in _named(tree, first):
        entry = tree[name]
        if not rest:
            yield joined(path, name)
        elif entry is not None:
            yield from _matching(entry, rest, joined(path, name))


def fits(path: str, pattern: str) -> bool:
    """Return whether a path matches a pattern without ``{a,b}``, which is meant as in `matching`."""
    return _fits(path.split("/"), pattern.split("/"))


def _fits(path: list[str], parts: list[str]) -> bool:
    if not parts or not path:
        return not parts and not path
    first, *rest = parts
    if first == ANY_DEPTH:
        return _fits(path, rest) or _fits(path[1:], parts)
    same = _compiled(first).fullmatch(path[0]) if has_signs(first) else first == path[0]
    return bool(same) and _fits(path[1:], rest)


def has_signs(part: str) -> bool:
    """Return whether a part of a pattern stands for more than itself."""
    return any(sign in part for sign in "*?[")


def _named(tree: Tree, part: str) -> Iterable[str]:
    if not has_signs(part):
        return [part] if part in tree else []
    fits = _compiled(part)
    return sorted(filter(fits.fullmatch, tree))


@cache
def _compiled(part: str) -> re.Pattern[str]:
    return re.compile(translate(part), re.IGNORECASE)


def files_below(tree: Tree, path: str) -> Iterator[str]:
    """Yield the paths of all files in a folder at any depth, or the path itself if it is a file."""
    yield from _files_of(at(tree, path), path)


def _files_of(entry: Tree | None, path: str) -> Iterator[str]:
    """Yield the paths of all files below an entry of the tree that lies at a path."""
    if entry is None:
        yield path
    else:
        for name in sorted(entry):
            yield from _files_of(entry[name], joined(path, name))
