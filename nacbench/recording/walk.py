"""Find the files of runs below a folder: links are followed, loops are not, and what cannot be looked into is named."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from nacbench.recording.record import FAILURE, RECORD
from nacbench.recording.store import REPLACED, STATE

# a record or failure: its folder, its name, its size in bytes, and the time of its last change in nanoseconds
Found = tuple[str, str, int, int]


@dataclass
class Walk:
    """Finds records and failures below a folder; a folder with one of them is a run's and is not descended into.

    Folders whose names start with a dot are skipped. A link to a folder is followed, unless the folder is found without
    it: so each folder is looked into once, and a loop of links ends.

    Attributes:
        marks: names of the files, or folders, by which a folder is known as a run's; of several the first is reported.
        problems: one line for each folder that could not be looked into.
        unfinished: folders of runs that were started and have neither record nor failure.
        replaced: folders called ``.replaced``, with runs that were set aside.
    """

    marks: tuple[str, ...] = (RECORD, FAILURE)
    problems: list[str] = field(default_factory=list, init=False)
    unfinished: list[str] = field(default_factory=list, init=False)
    replaced: list[str] = field(default_factory=list, init=False)
    _links: list[str] = field(default_factory=list, init=False)
    _roots: dict[str, str] = field(default_factory=dict, init=False)  # real path → path by which it was found

    def below(self, top: str) -> Iterator[Found]:
        """Yield what lies below a folder, given by its absolute path."""
        self._links = [top]
        while self._links:
            link = self._links.pop(0)  # in the order in which they were met, so that shorter paths are found first
            real = os.path.realpath(link)
            if not self._was_seen(real):
                self._roots[real] = link
                yield from self._under(link, real)

    def _was_seen(self, real: str) -> bool:
        for root in self._roots:
            if real == root or (real.startswith(f"{root}/") and "/." not in real.removeprefix(root)):
                return True
        return False

    def _under(self, top: str, real: str) -> Iterator[Found]:
        # os.stat and os.scandir on plain strings: with 100,000 runs, Path objects would dominate the time
        stack = [top]
        while stack:
            folder = stack.pop()
            if len(self._roots) > 1 and folder != top and real + folder.removeprefix(top) in self._roots:
                continue  # this root is above another one, which has been looked into
            try:
                found = os.stat(f"{folder}/{RECORD}")  # noqa: PTH116
            except OSError:
                other = self._file_in(folder)
                if other:
                    yield other
                else:
                    stack += self._folders_in(folder)
            else:  # here, and as a tuple, as there may be 100,000
                yield folder, RECORD, found.st_size, found.st_ctime_ns

    def _file_in(self, folder: str) -> Found | None:
        for name in self.marks:
            try:
                found = os.stat(f"{folder}/{name}")  # noqa: PTH116
            except FileNotFoundError:
                continue
            except OSError as error:
                self.problems.append(f"{folder}/{name} cannot be read: {error.strerror}")
                continue
            # ctime: an editor, `cp -p` and archives can set mtime to what it was before the content changed
            return folder, name, found.st_size, found.st_ctime_ns
        return None

    def _folders_in(self, folder: str) -> list[str]:
        folders = []
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name[0] != ".":
                            folders.append(entry.path)
                        elif entry.name == REPLACED:
                            self.replaced.append(entry.path)
                    elif entry.is_symlink() and entry.name[0] != ".":
                        self._meet(entry.path)
                    elif entry.name == STATE:
                        self.unfinished.append(folder)
        except FileNotFoundError:  # deleted in the meantime
            return []
        except OSError as error:
            self.problems.append(f"{folder} cannot be looked into: {error.strerror}")
        return folders

    def _meet(self, link: str) -> None:
        try:
            os.stat(link)  # noqa: PTH116
        except OSError as error:
            self.problems.append(f"{link} is a link that leads nowhere: {error.strerror}")
            return
        if os.path.isdir(link):  # noqa: PTH112
            self._links.append(link)
