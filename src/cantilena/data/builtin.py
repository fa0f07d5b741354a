"""The built-in corpora: public-domain music, built by `scripts/build_corpus.py`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cantilena.data.columns import checked_table
from cantilena.data.folder import read_folder
from cantilena.data.options import ReadOptions
from cantilena.data.store import MANIFEST_KEY, Corpus, Manifest
from cantilena.errors import CorpusError, UsageError

_WHOLE = "tunes"


@dataclass(frozen=True, slots=True)
class Builtin:
    """A built-in corpus.

    Args:
        name: its name.
        description: its content, one line.
        folders: the folders of music21's scores that it comes from.
    """

    name: str
    description: str
    folders: tuple[str, ...]


BUILTINS: tuple[Builtin, ...] = (
    Builtin(
        _WHOLE,
        "all of the following together",
        ("bach", "haydn", "mozart", "beethoven", "ryansMammoth", "oneills1850", "airdsAirs"),
    ),
    Builtin("chorales", "Johann Sebastian Bach's chorales, each voice a melody", ("bach",)),
    Builtin(
        "quartets",
        "first violins of string quartets by Haydn, Mozart and Beethoven",
        ("haydn", "mozart", "beethoven"),
    ),
    Builtin("ryan", "Ryan's Mammoth Collection, Boston 1883: reels, jigs, hornpipes", ("ryansMammoth",)),
    Builtin("oneill", "O'Neill's Music of Ireland, Chicago 1903: airs and dances", ("oneills1850",)),
    Builtin(
        "aird",
        "Aird's Selection of Scotch, English, Irish and Foreign Airs, Glasgow 1778-1801",
        ("airdsAirs",),
    ),
)
"""The built-in corpora; the first holds all the others."""


EARLIER_EDITIONS: dict[str, str] = {
    "1ebed32719109ac5c98864b1515ba5403088ece56224f59d287e964803fea22e": "tunes",
    "e2fb47a1c7bc56eb4f89652faaa2b682bf19ae93775cbe2e7613b51be3c68c1b": "chorales",
    "6346a38d97942410a7849a733cbd3e22a428638a8624a85b5a27fc08a25dfe40": "quartets",
    "24ad95daa13bdccd3bacede9cb4a21a6c7f6e387a52bc7660b22cc77d1b38811": "ryan",
    "60c6402d413f03bf227be973805a27093ab0510d7ae398740f8dc77b11e0c532": "oneill",
    "d8e3ad89cee37fbb245648cc3f152699910c64b2381b3fdbef552c85c498bb99": "aird",
}
"""Digests of the first edition of the built-in corpora, which models that were trained on it name.

Their melodies are those of today but for about one in a hundred, and every piece is in the same split.
"""


def is_builtin(name: str, digest: str) -> bool:
    """Return whether a corpus of that name and digest is a built-in one, of this or an earlier edition.

    Examples:
        >>> is_builtin("chorales", load_builtin("chorales").sha256), is_builtin("chorales", "0" * 64)
        (True, False)
        >>> is_builtin("my songs", load_builtin("chorales").sha256)
        False
    """
    if name not in {builtin.name for builtin in BUILTINS}:
        return False
    return EARLIER_EDITIONS.get(digest) == name or load_builtin(name).sha256 == digest


def load_builtin(name: str) -> Corpus:
    """Load a built-in corpus: `tunes` for the whole, or one of its collections.

    Raises:
        CorpusError: there is none of that name.

    Examples:
        >>> chorales = load_builtin("chorales")
        >>> chorales.count("composer")  # doctest: +ELLIPSIS
        {'Johann Sebastian Bach': ...}
    """
    builtin = next((each for each in BUILTINS if each.name == name), None)
    if builtin is None:
        known = ", ".join(each.name for each in BUILTINS)
        raise CorpusError(f"no corpus '{name}' ships with Cantilena", f"choose one of {known}")
    whole = _whole()
    if name == _WHOLE:
        return whole
    part = whole.where(collection=name)
    skipped = tuple(row for row in whole.manifest.skipped if row.file.partition("/")[0] in builtin.folders)
    read = len({source.partition("#")[0] for source in part.column("source")})
    manifest = replace(whole.manifest, name=name, description=builtin.description, read=read, skipped=skipped)
    return Corpus(part.table, manifest)


def open_corpus(name_or_path: str | Path, options: ReadOptions | None = None, *, quiet: bool = False) -> Corpus:
    """Open a corpus by name, from a corpus file, or by reading a folder of scores.

    Args:
        name_or_path: a name in `BUILTINS`, a file that `Corpus.save` wrote, or a folder; a folder with the name of a
            built-in corpus is written `./tunes`.
        options: how a folder is read.
        quiet: show no progress.

    Raises:
        UsageError: the name is empty.
        CorpusError: there is nothing of that name, or it cannot be used.
    """
    if not str(name_or_path).strip():  # as from an unset shell variable; it would mean the working folder
        raise UsageError("the corpus has no name", "name a built-in corpus, a corpus file or a folder of scores")
    if isinstance(name_or_path, str) and name_or_path in (builtin.name for builtin in BUILTINS):
        return load_builtin(name_or_path)
    path = Path(name_or_path)
    if path.is_dir():
        return read_folder(path, options, quiet=quiet)
    if not path.exists():
        names = ", ".join(builtin.name for builtin in BUILTINS)
        raise CorpusError(f"there is no corpus '{name_or_path}'", f"name a folder, a corpus file, or one of {names}")
    return Corpus.load(path)


@lru_cache(maxsize=1)
def _whole() -> Corpus:
    with resources.as_file(resources.files("cantilena.data").joinpath("shipped/tunes.parquet")) as path:
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise CorpusError("the built-in corpus is missing or damaged", "install cantilena again") from error
    return Corpus(checked_table(table), Manifest.from_json((table.schema.metadata or {})[MANIFEST_KEY]))
