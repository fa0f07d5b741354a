"""Corpora as the command line handles them: read and reported, shown on a page."""

from __future__ import annotations

from pathlib import Path

from cantilena.data import Corpus, CorpusReport, ReadOptions, corpus_report, open_corpus, read_folder
from cantilena.errors import RunError, UsageError
from cantilena.io import sheet_html
from cantilena.runtime import generator, write_text
from cantilena.tokenizers import Encoding, EventsEncoding, GridEncoding


def read_corpus(folder: Path, options: ReadOptions, out: Path, *, force: bool = False) -> CorpusReport:
    """Read a folder of scores, write it as a corpus file, and report on it.

    Args:
        folder: the scores.
        options: what to take from them.
        out: the corpus file.
        force: replace a file that is there.

    Raises:
        CorpusError: nothing in the folder can be used.
        RunError: the file is there, and `force` is off.
    """
    if out.exists() and not force:
        raise RunError(f"{out} exists already", "give another --out, or --force to replace it")
    corpus = read_folder(folder, options)
    corpus.save(out, overwrite=force)
    return report_on(corpus)


def report_on(corpus: Corpus) -> CorpusReport:
    """The report of a corpus, its tokens counted on the grid, or as events where it holds chords."""
    melodies = list(corpus.melodies())
    chords = any(note.is_chord for melody in melodies for note in melody.notes)
    encoding: Encoding = EventsEncoding.learned_from(melodies) if chords else GridEncoding()
    folded = rounded = 0
    seen: set[int] = set()
    for melody in melodies:
        fit = encoding.fit(melody)
        folded, rounded = folded + fit.folded, rounded + fit.rounded
        seen.update(encoding.encode(melody).tolist())
    return corpus_report(corpus, vocabulary=len(seen), folded=folded, rounded=rounded)


def show_corpus(
    name: str, out: Path, *, melodies: int, collection: str = "", seed: int = 1, force: bool = False
) -> CorpusReport:
    """Draw a page of some melodies of a corpus, and report on it.

    Args:
        name: a built-in corpus, a corpus file, or a folder.
        out: the HTML page.
        melodies: how many to draw.
        collection: of this collection only; of all where empty.
        seed: which are drawn.
        force: replace a page that is there.

    Raises:
        UsageError: a silly number, no name, or no such collection.
        RunError: the page is there, and `force` is off.
    """
    if not 1 <= melodies <= 1000:
        raise UsageError(f"{melodies} melodies on a page", "give 1 to 1000")
    corpus = open_corpus(name)
    if collection:
        corpus = corpus.where(collection=collection)
    rows = generator(seed, "show").permutation(len(corpus))[:melodies]
    page = sheet_html([corpus[int(row)] for row in sorted(rows)], f"{corpus.manifest.name}: {len(corpus):,} melodies")
    write_text(out, page, overwrite=force)
    return report_on(corpus)
