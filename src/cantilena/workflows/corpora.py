"""Read corpora, report on them, and show their melodies on a page."""

from __future__ import annotations

from pathlib import Path

from cantilena.data import Corpus, CorpusReport, ReadOptions, corpus_report, open_corpus, read_folder
from cantilena.errors import RunError, UsageError
from cantilena.io import sheet_html
from cantilena.runtime import generator, write_text
from cantilena.tokenizers import Encoding, EventsEncoding, GridEncoding


def read_corpus(folder: Path, options: ReadOptions, out: Path, *, force: bool = False) -> CorpusReport:
    """Read a folder of scores, write it as a corpus file, and report on it.

    Raises:
        CorpusError: nothing in the folder can be used.
        RunError: the file exists, and `force` is off.
    """
    if out.exists() and not force:
        raise RunError(f"{out} exists already", "give another --out, or --force to replace it")
    corpus = read_folder(folder, options)
    corpus.save(out, overwrite=force)
    return report_on(corpus)


def report_on(corpus: Corpus) -> CorpusReport:
    """Report on a corpus, with its tokens on the grid, or as events if it has chords."""
    melodies = list(corpus.melodies())
    chords = any(note.is_chord for melody in melodies for note in melody.notes)
    encoding: Encoding = EventsEncoding.learned_from(melodies) if chords else GridEncoding()
    fits = [encoding.fit(melody) for melody in melodies]
    tokens = {token for melody in melodies for token in encoding.encode(melody).tolist()}
    folded, rounded = sum(fit.folded for fit in fits), sum(fit.rounded for fit in fits)
    return corpus_report(corpus, vocabulary=len(tokens), folded=folded, rounded=rounded)


def show_corpus(
    name: str, out: Path, *, melodies: int, collection: str = "", seed: int = 1, force: bool = False
) -> CorpusReport:
    """Write a page of randomly drawn melodies of a corpus, or of one of its collections, and report on it.

    Raises:
        UsageError: `melodies` is out of range, the name is empty, or there is no such collection.
        RunError: the page exists, and `force` is off.
    """
    if not 1 <= melodies <= 1000:
        raise UsageError(f"the number of melodies must be 1 to 1000, got {melodies}", "12 is the default")
    corpus = open_corpus(name)
    if collection:
        corpus = corpus.where(collection=collection)
    rows = generator(seed, "show").permutation(len(corpus))[:melodies]
    page = sheet_html([corpus[int(row)] for row in sorted(rows)], f"{corpus.manifest.name}: {len(corpus):,} melodies")
    write_text(out, page, overwrite=force)
    return report_on(corpus)
