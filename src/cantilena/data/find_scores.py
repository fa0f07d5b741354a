"""Finding the scores in a folder."""

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
class ScoreFiles:
    """The scores in a folder.

    Args:
        files: paths below the folder, with `/` between the names, sorted.
        skipped: what has the name of a score but is none, or cannot be reached, with the reason.
        ignored: number of files of each other suffix.
    """

    files: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)

    def once(self, suffixes: Sequence[str]) -> ScoreFiles:
        """Keep one of the files that differ only in their suffix, by the order of `suffixes`, and ignore the others.

        Examples:
            >>> scores = ScoreFiles(("a/1.abc", "a/1.mid", "b/1.abc")).once([".mid", ".abc"])
            >>> scores.files, scores.ignored
            (('a/1.mid', 'b/1.abc'), {'.abc': 1})
        """
        first: dict[PurePosixPath, str] = {}
        for file in sorted(self.files, key=lambda file: suffixes.index(PurePosixPath(file).suffix.lower())):
            first.setdefault(PurePosixPath(file).with_suffix(""), file)
        others = Counter(PurePosixPath(file).suffix.lower() for file in {*self.files} - {*first.values()})
        ignored = Counter(self.ignored) + others
        return ScoreFiles(tuple(sorted(first.values())), self.skipped, dict(sorted(ignored.items())))


def find_scores(folder: Path, suffixes: Collection[str]) -> ScoreFiles:
    """Find the scores in a folder and its subfolders.

    Hidden files and folders (`.git`, `.DS_Store`) are left out. A folder that links also lead to is read once, under
    its own path if it has one here.

    Args:
        folder: where to look.
        suffixes: the suffixes of scores in lower case, such as `.mid`.

    Raises:
        CorpusError: there is no such folder, or it may not be read.
    """
    walk = _Walk(folder, frozenset(suffixes))
    try:
        walk.walk("")
    except OSError as error:
        raise CorpusError(f"cannot read {folder}: {error.strerror or error}", "name a folder of scores") from error
    while walk.links:
        link = min(walk.links)
        walk.links.remove(link)
        try:
            if not walk.walk(link):
                walk.skip(link, "a link to a folder that is read already")
        except OSError as error:
            walk.skip(link, f"a broken link: {error.strerror or error}")
    return ScoreFiles(
        tuple(sorted(walk.files)),
        tuple(sorted(walk.skipped, key=lambda row: (row.file, row.reason))),
        dict(sorted(walk.ignored.items())),
    )


class _Walk:
    def __init__(self, folder: Path, suffixes: frozenset[str]) -> None:
        self.folder, self.suffixes = folder, suffixes
        self.files: list[str] = []
        self.skipped: list[Skipped] = []
        self.ignored: Counter[str] = Counter()
        self.links: set[str] = set()
        self._seen: set[tuple[int, int]] = set()

    def walk(self, start: str) -> bool:
        """Sort the entries of a folder and its subfolders, unless it was seen; links to folders are kept for later."""
        if not self._is_new((self.folder / start).stat()):
            return False
        waiting = [start]
        while waiting:
            place = waiting.pop()
            try:
                with os.scandir(self.folder / place) as scan:
                    entries = sorted(scan, key=lambda entry: os.fsencode(entry.name))
            except OSError as error:
                if not place:
                    raise
                self.skip(place, f"a folder that cannot be read: {error.strerror or error}")
                continue
            for entry in entries:
                name = f"{place}/{entry.name}" if place else entry.name
                if not entry.name.startswith(".") and self._is_new_folder(entry, name):
                    waiting.append(name)
        return True

    def skip(self, name: str, reason: str) -> None:
        self.skipped.append(Skipped(_escaped(name), reason))

    def _is_new_folder(self, entry: os.DirEntry[str], name: str) -> bool:
        """Sort an entry; return whether it is a folder to walk now."""
        suffix = os.path.splitext(entry.name)[1].lower()  # noqa: PTH122  (a name, not a path)
        is_named_score = suffix in self.suffixes
        try:
            what = entry.stat()
        except OSError as error:
            if is_named_score or entry.is_symlink():
                self.skip(name, f"a broken link: {error.strerror or error}")
            return False
        if stat.S_ISDIR(what.st_mode):
            if is_named_score:
                self.skip(name, "a folder, not a file")
            if entry.is_symlink():
                self.links.add(name)
                return False
            return self._is_new(what)
        if not is_named_score:
            self.ignored[_escaped(suffix) or "no suffix"] += 1
        elif not stat.S_ISREG(what.st_mode):
            self.skip(name, _KINDS.get(stat.S_IFMT(what.st_mode), "not a file"))
        elif name != _escaped(name):
            self.skip(name, "its name is not UTF-8: rename it to read it")
        else:
            self.files.append(name)
        return False

    def _is_new(self, folder: os.stat_result) -> bool:
        before = len(self._seen)
        self._seen.add((folder.st_dev, folder.st_ino))
        return len(self._seen) > before


def _escaped(name: str) -> str:
    """A name in which bytes that are not UTF-8 are escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
