"""What the models of the arms learned from, as far as anybody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cantilena.data import BUILTINS, Corpus, load_builtin, open_corpus
from cantilena.errors import CantilenaError
from cantilena.models import Bundle, shipped_bundles
from cantilena.music import Melody
from cantilena.runtime import read_json

_MANIFEST = "manifest.json"


def learned_melodies(folders: Iterable[Path], against: Sequence[str]) -> dict[str, Sequence[Melody]]:
    """The melodies that models may have learned, by the name of the corpus: all but what it holds out.

    `cantilena compose` notes in a folder which model it asked, and a model which corpus it learned; corpora that do not
    ship with the package must be named.

    Args:
        folders: of the arms.
        against: corpora that were named: built-in ones, corpus files or folders of scores.

    Raises:
        CorpusError: there is no such corpus.
        UsageError: an empty name.
    """
    corpora: dict[str, Corpus] = {name: open_corpus(name) for name in against}
    for name in map(_corpus_of, folders):
        if name and name not in corpora:
            corpora[name] = load_builtin(name)
    return {name: _learned(corpus) for name, corpus in corpora.items()}


def _learned(corpus: Corpus) -> list[Melody]:
    return [melody for melody, split in zip(corpus, corpus.column("split"), strict=True) if split != "test"]


def _corpus_of(folder: Path) -> str:
    """The built-in corpus that the model of a folder learned; "" where nobody can tell."""
    try:
        told = read_json(folder / _MANIFEST)
        name = told.get("model") if isinstance(told, Mapping) else None
        # The file is a stranger's: it may name a model that ships with the package, and no path.
        path = shipped_bundles().get(name) if isinstance(name, str) else None
        corpus = {} if path is None else dict(Bundle.load(path).provenance.get("corpus") or {})
    except (CantilenaError, RecursionError):
        return ""
    found = str(corpus.get("name", ""))
    return found if found in {builtin.name for builtin in BUILTINS} else ""
