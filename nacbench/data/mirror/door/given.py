"""What a user gave to an import: folders, archives and files as one tree of names; only what is needed is unpacked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from nacbench.data.mirror.door.tree import Tree, at, files_below, is_junk, joined, plant
from nacbench.data.mirror.unpack import SUFFIXES, Archive, is_packed_file, looks_packed, open_archive
from nacbench.errors import UserError

MOST_NESTED = 4  # archives, one inside the other, that are opened
MOST_PACKED = 40  # archives in a folder that are opened to look for a copy; more are data themselves (ImageNet: 1,000)


class Given:
    """Paths of a user as one tree. Each folder and archive is an entry at its top, and a file is one of its own.

    Args:
        paths: folders, archives and files.
        scratch: an existing folder for what is unpacked.

    Attributes:
        tree: names of all files, without junk.

    Raises:
        UserError: if a path does not exist, or an archive is damaged or unsafe.
    """

    def __init__(self, paths: Sequence[Path], scratch: Path) -> None:
        self.tree: Tree = {}
        self._scratch = scratch
        self._places: dict[str, tuple[Path, str]] = {}  # where the entries at the top are, and how they are shown
        self._archives: dict[str, Archive] = {}  # by their place in the tree
        self._unpacked: dict[str, Path] = {}  # content of archives, by the same
        self._unreadable: list[str] = []
        self._levels = 0  # of archives inside that are open
        try:
            for path in paths:
                self._add(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all archives."""
        for archive in self._archives.values():
            archive.close()

    def _add(self, path: Path) -> None:
        name = self._free(path.resolve().name if path.name in ("", "..") else path.name)
        self._places[name] = path, str(path)
        if path.is_dir():
            self.tree[name] = plant(_names_in(path))
        elif not path.exists():
            raise UserError(f"no such file or folder: {path}")
        elif looks_packed(path):
            archive = open_archive(path)
            self._archives[name] = archive
            self.tree[name] = plant(archive.names)
        else:
            self.tree[name] = None

    def _free(self, name: str) -> str:
        number, free = 1, name
        while free in self.tree:
            number += 1
            free = f"{name} ({number})"
        return free

    @property
    def unreadable(self) -> Sequence[str]:
        """What is wrong with archives inside that could not be opened, one line each."""
        return self._unreadable

    def look_deeper(self) -> bool:
        """Open archives that lie in folders or in archives, as if each was a folder; return whether there were any."""
        self._levels += 1
        if self._levels >= MOST_NESTED:
            return False
        by_folder: dict[str, list[str]] = {}
        for name in list(self.tree):
            for path in files_below(self.tree, name):
                if _is_inner(path):
                    by_folder.setdefault(path.rpartition("/")[0], []).append(path)
        few = [path for paths in by_folder.values() if len(paths) <= MOST_PACKED for path in paths]
        return sum(self._open_inner(path) for path in few) > 0

    def _open_inner(self, path: str) -> bool:
        try:
            (file,) = self.files([path])
        except UserError as error:  # a link that leads nowhere
            self._unreadable.append(str(error))
            return self._left_out(path)
        if is_packed_file(file):
            return False
        try:
            archive = open_archive(file, self._archives.get(self._split(path)[0]))
        except UserError as error:
            self._unreadable.append(str(error).replace(str(file), self.shown(path)))
            return self._left_out(path)
        self._archives[path] = archive
        parent, name = self._parent(path)
        parent[name] = plant(archive.names)
        return True

    def _left_out(self, path: str) -> bool:
        parent, name = self._parent(path)
        del parent[name]
        return False

    def _parent(self, path: str) -> tuple[Tree, str]:
        """Return the folder in the tree that has a path, and the path's name in it."""
        folder, _, name = path.rpartition("/")
        parent = at(self.tree, folder)
        assert parent is not None
        return parent, name

    def files(self, paths: Iterable[str]) -> list[Path]:
        """Return the real files of some paths in the tree; those in archives are unpacked first.

        Raises:
            UserError: if an archive is damaged, or a path in a folder is a link that leads to no file.
        """
        asked = list(paths)
        inside: dict[str, set[str]] = {}
        where = [self._split(path) for path in asked]
        for mount, rest in where:
            if mount in self._archives:
                inside.setdefault(mount, set()).add(rest)
        for mount, names in inside.items():
            self._unpack(mount, names)
        found = [self._real(mount, rest) for mount, rest in where]
        for path, file in zip(asked, found, strict=True):
            _check_file(file, self.shown(path))
        return found

    def unused(self, paths: Iterable[str]) -> list[str]:
        """Return what was given that has none of some paths in the tree, as the user knows it."""
        used = {path.partition("/")[0] for path in paths}
        return [shown for top, (_, shown) in self._places.items() if top not in used]

    def is_unpacked(self, file: Path) -> bool:
        """Return whether a real file was unpacked, and is not the user's."""
        return file.is_relative_to(self._scratch)

    def shown(self, path: str) -> str:
        """Return a path in the tree as the user knows it: the path that was given, then the path inside."""
        top, _, rest = path.partition("/")
        return joined(self._places[top][1], rest) if top else ", ".join(shown for _, shown in self._places.values())

    def _split(self, path: str) -> tuple[str, str]:
        """Return the innermost archive, or the entry at the top, that has a path, and the path in it."""
        parts = path.split("/")
        for count in range(len(parts), 1, -1):
            mount = "/".join(parts[:count])
            if mount in self._archives and count < len(parts):
                return mount, "/".join(parts[count:])
        return parts[0], "/".join(parts[1:])

    def _real(self, mount: str, rest: str) -> Path:
        if mount in self._archives:
            return self._unpacked[mount] / rest
        place, _ = self._places[mount]
        return place / rest if rest else place

    def _unpack(self, mount: str, names: set[str]) -> None:
        folder = self._unpacked.get(mount)
        if folder is None:
            folder = self._unpacked[mount] = self._scratch / str(len(self._unpacked))
            folder.mkdir()
        missing = {name for name in names if not (folder / name).exists()}
        if missing:
            self._archives[mount].unpack(folder, lambda name: _plain(name) in missing)


def _plain(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _is_inner(path: str) -> bool:
    return "/" in path and path.lower().endswith(SUFFIXES)


def _names_in(folder: Path) -> list[str]:
    """Return the paths of all files in a folder at any depth, without junk; links are followed.

    Only links are asked where they lead: to ask for each of a million files takes minutes on a network file system.
    What is neither a file nor a folder is a name like that of a file, which `Given.files` refuses.

    Raises:
        UserError: if a folder cannot be listed.
    """
    names: list[str] = []
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(folder / inside) as entries:
                own = sorted((entry for entry in entries if not is_junk(entry.name)), key=lambda entry: entry.name)
        except OSError as error:
            raise UserError(f"cannot list {folder / inside}: {error.strerror}") from None
        for entry in own:
            path = joined(inside, entry.name)
            if _is_folder(entry):
                waiting.append(path)
            else:
                names.append(path)
    return names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one that is not above it."""
    if not entry.is_symlink():
        return entry.is_dir()
    try:
        target = Path(entry.path).resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop, before Python 3.13
        return False
    return target.is_dir() and not Path(entry.path).parent.resolve().is_relative_to(target)


def _check_file(file: Path, where: str) -> None:
    """Raise a UserError if a name in a folder is not that of a file that can be read."""
    if file.is_file():
        return
    if not file.is_symlink():
        raise UserError(f"{where} is neither a file nor a folder; remove it")
    wrong = "to a folder above it" if file.exists() else "that leads nowhere"
    raise UserError(f"{where} is a link {wrong}; remove it")
