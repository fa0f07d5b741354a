"""Finding the scores in a folder, whatever else lies there."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cantilena.data.manifest import Skipped
from cantilena.errors import CorpusError

_KINDS = {
    stat.S_IFIFO: "a pipe, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
    stat.S_IFSOCK: "a socket, not a file",
}


@dataclass(frozen=True)
class Found:
    """What lies in a folder.

    Args:
        files: the scores, as paths below the folder, with `/` between the names, sorted.
        skipped: what looks like a score by its name and is none, or cannot be reached, with the reason.
        ignored: how many files of each other suffix there are.
    """

    files: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)

    def once(self, suffixes: Sequence[str]) -> Found:
        """The same without those that differ from another in the ending of their name alone; they are ignored.

        Args:
            suffixes: in the order in which one is preferred.

        Example:
            >>> found = Found(("a/1.abc", "a/1.mid", "b/1.abc")).once([".mid", ".abc"])
            >>> found.files, found.ignored
            (('a/1.mid', 'b/1.abc'), {'.abc': 1})
        """
        first: dict[str, str] = {}
        for file in sorted(self.files, key=lambda file: suffixes.index(PurePosixPath(file).suffix.lower())):
            first.setdefault(_without_ending(file), file)
        others = Counter(PurePosixPath(file).suffix.lower() for file in {*self.files} - {*first.values()})
        ignored = Counter(self.ignored) + others
        return Found(tuple(sorted(first.values())), self.skipped, dict(sorted(ignored.items())))


def find_scores(folder: Path, suffixes: Collection[str]) -> Found:
    """Look through a folder and all folders in it.

    Hidden files and folders (`.git`, `.DS_Store`) are passed over. A folder that can be reached twice through links
    is read once, by its own name if it has one here.

    Args:
        folder: where to look.
        suffixes: how the names of scores end, in small letters, such as `.mid`.

    Raises:
        CorpusError: there is no such folder, or it may not be read.
    """
    walk = _Walk(folder, frozenset(suffixes))
    try:
        walk.look_in("")
    except OSError as error:
        raise CorpusError(f"cannot read {folder}: {error.strerror or error}", "name a folder of scores") from error
    while walk.links:
        walk.follow(min(walk.links))
    return Found(
        tuple(sorted(walk.files)),
        tuple(sorted(walk.skipped, key=lambda row: (row.file, row.reason))),
        dict(sorted(walk.ignored.items())),
    )


def _without_ending(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))


class _Walk:
    def __init__(self, folder: Path, suffixes: frozenset[str]) -> None:
        self.folder, self.suffixes = folder, suffixes
        self.files: list[str] = []
        self.skipped: list[Skipped] = []
        self.ignored: Counter[str] = Counter()
        self.links: set[str] = set()
        self.seen: set[tuple[int, int]] = set()

    def look_in(self, start: str) -> None:
        """Sort what lies in a folder and below; links to folders wait until the real ones are known."""
        self._mark((self.folder / start).stat())
        waiting = [start]
        while waiting:
            place = waiting.pop()
            try:
                with os.scandir(self.folder / place) as entries:
                    found = sorted(entries, key=lambda entry: os.fsencode(entry.name))
            except OSError as error:
                if not place:
                    raise
                self._skip(place, f"a folder that cannot be read: {error.strerror or error}")
                continue
            for entry in found:
                name = f"{place}/{entry.name}" if place else entry.name
                if entry.name.startswith("."):
                    continue
                if self._is_new_folder(entry, name):
                    waiting.append(name)

    def follow(self, link: str) -> None:
        """Look in the folder that a link leads to, unless it was seen."""
        self.links.remove(link)
        try:
            where = (self.folder / link).stat()
            if (where.st_dev, where.st_ino) in self.seen:
                self._skip(link, "a link to a folder that is read already")
            else:
                self.look_in(link)
        except OSError as error:
            self._skip(link, f"a link that leads nowhere: {error.strerror or error}")

    def _is_new_folder(self, entry: os.DirEntry[str], name: str) -> bool:
        """Note what an entry is; say whether it is a folder to look in now."""
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  (a name, not a path)
        is_named_score = suffix in self.suffixes
        try:
            what = entry.stat()
        except OSError as error:
            if is_named_score or entry.is_symlink():
                self._skip(name, f"a link that leads nowhere: {error.strerror or error}")
            return False
        if stat.S_ISDIR(what.st_mode):
            if is_named_score:
                self._skip(name, "a folder, not a file")
            if entry.is_symlink():
                self.links.add(name)
                return False
            return self._mark(what)
        if not is_named_score:
            self.ignored[_shown(suffix) or "no suffix"] += 1
        elif not stat.S_ISREG(what.st_mode):
            self._skip(name, _KINDS.get(stat.S_IFMT(what.st_mode), "not a file"))
        elif name != _shown(name):
            self._skip(name, "its name is not UTF-8: rename it to read it")
        else:
            self.files.append(name)
        return False

    def _mark(self, where: os.stat_result) -> bool:
        """Remember a folder; say whether it is new."""
        before = len(self.seen)
        self.seen.add((where.st_dev, where.st_ino))
        return len(self.seen) > before

    def _skip(self, name: str, reason: str) -> None:
        self.skipped.append(Skipped(_shown(name), reason))


def _shown(name: str) -> str:
    """A name that any output can hold: bytes that are not UTF-8 as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
