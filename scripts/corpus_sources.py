"""The sources of the built-in corpus: which of music21's bundled scores, their provenance, and how each is read.

Only music whose composer or print is long in the public domain, and whose encoding states no restriction for the notes,
is used. Essen's folk songs (not for commercial use) and modern editions of early music are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import music21
import numpy as np
from music21 import corpus

from abc_books import tunes_in
from cantilena.data import Entry, Skipped
from cantilena.errors import ScoreError
from cantilena.io import Part, Score, read_score
from cantilena.io.notation.abc_reader import read_abc_tune
from cantilena.music import Key, Melody, Tempo, key_of_durations
from score_bars import Laid, UnfitError, bars_of, laid_out, melody_of, runs_of, unbroken

BUNDLED = Path(music21.__file__).parent / "corpus"
FEWEST_BARS = 16
"""Least number of bars of a quartet between two that cannot be used."""

Gathered = tuple[list[Entry], list[Skipped]]

_QUARTETS = {
    "haydn/opus1no1": ("Joseph Haydn", "String Quartet in B flat major, Op. 1 No. 1", "printed in Paris 1764"),
    "haydn/opus74no1": ("Joseph Haydn", "String Quartet in C major, Op. 74 No. 1", "printed in London 1795"),
    "mozart/k80": ("Wolfgang Amadeus Mozart", "String Quartet in G major, K. 80", "composed 1770"),
    "mozart/k155": ("Wolfgang Amadeus Mozart", "String Quartet in D major, K. 155", "composed 1772"),
    "mozart/k156": ("Wolfgang Amadeus Mozart", "String Quartet in G major, K. 156", "composed 1772"),
    "mozart/k458": ("Wolfgang Amadeus Mozart", "String Quartet in B flat major, K. 458", "printed in Vienna 1785"),
    "beethoven/opus18no1": (
        "Ludwig van Beethoven",
        "String Quartet in F major, Op. 18 No. 1",
        "printed in Vienna 1801",
    ),
    "beethoven/opus18no3": (
        "Ludwig van Beethoven",
        "String Quartet in D major, Op. 18 No. 3",
        "printed in Vienna 1801",
    ),
    "beethoven/opus18no4": (
        "Ludwig van Beethoven",
        "String Quartet in C minor, Op. 18 No. 4",
        "printed in Vienna 1801",
    ),
    "beethoven/opus18no5": (
        "Ludwig van Beethoven",
        "String Quartet in A major, Op. 18 No. 5",
        "printed in Vienna 1801",
    ),
    "beethoven/opus59no1": (
        "Ludwig van Beethoven",
        "String Quartet in F major, Op. 59 No. 1",
        "printed in Vienna 1808",
    ),
    "beethoven/opus59no2": (
        "Ludwig van Beethoven",
        "String Quartet in E minor, Op. 59 No. 2",
        "printed in Vienna 1808",
    ),
    "beethoven/opus59no3": (
        "Ludwig van Beethoven",
        "String Quartet in C major, Op. 59 No. 3",
        "printed in Vienna 1808",
    ),
    "beethoven/opus74": ("Ludwig van Beethoven", "String Quartet in E flat major, Op. 74", "printed in Leipzig 1810"),
    "beethoven/opus132": ("Ludwig van Beethoven", "String Quartet in A minor, Op. 132", "printed in Berlin 1827"),
    "beethoven/opus133": ("Ludwig van Beethoven", "Grosse Fuge in B flat major, Op. 133", "printed in Vienna 1827"),
}


@dataclass(frozen=True)
class Source:
    """One collection of the built-in corpus.

    Args:
        collection: its name.
        files: patterns of its files below music21's `corpus`.
        origin: the print or manuscript of the music, with its year.
        encoding: who encoded it, and under which terms, as far as is known.
        read: the function that reads one file.
    """

    collection: str
    files: tuple[str, ...]
    origin: str
    encoding: str
    read: Callable[[Path, Source], Gathered]

    def paths(self) -> list[Path]:
        """Return its files, in order."""
        return sorted({path for pattern in self.files for path in BUNDLED.glob(pattern)})

    def licence(self, origin: str = "") -> str:
        """Return the licence of its melodies."""
        return f"public domain ({origin or self.origin})"


def gather(item: tuple[str, str]) -> Gathered:
    """Read all melodies of one file; the item is (collection, path below `BUNDLED`)."""
    collection, name = item
    source = next(source for source in SOURCES if source.collection == collection)
    return source.read(BUNDLED / name, source)


def _read_chorale(path: Path, source: Source) -> Gathered:
    (score,) = read_score(path)
    name = path.relative_to(BUNDLED).as_posix()
    bwv = path.stem.removeprefix("bwv")
    voices: dict[str, list[Part]] = {}
    for part in score.parts:
        if voice := _voice(part.name):
            voices.setdefault(voice, []).append(part)
    if not voices:
        return [], [Skipped(name, "no soprano, alto, tenor or bass")]
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    try:
        laid = [laid_out(run, score.resolution) for run in runs_of(bars_of(score))]
    except UnfitError as error:
        return [], [Skipped(name, str(error))]
    key = _chorale_key(score, voices, laid[0])
    title = _chorale_title(bwv)
    for voice, parts in voices.items():
        for number, run in enumerate(laid, 1):
            place = f"{name}#{voice}" + (f"-{number}" if len(laid) > 1 else "")
            full_title = f"{title} ({voice})" + (f", part {number}" if len(laid) > 1 else "")
            try:
                melody, rounded = melody_of(
                    run, score, parts, key=key, tempo=_tempo(score), title=full_title, source=place
                )
            except UnfitError as error:
                skipped.append(Skipped(place, str(error)))
                continue
            piece = f"bach/bwv{bwv.partition('-')[0]}"
            entries.append(_entry(melody, piece, source, "Johann Sebastian Bach", rounded))
    return entries, skipped


def _voice(part_name: str) -> str:
    match = re.match(r"\s*(Soprano|Alto|Tenor|Bass)( \d)?\b", part_name)
    return (match[1] + (match[2] or "")).lower() if match else ""


def _chorale_key(score: Score, voices: dict[str, list[Part]], laid: Laid) -> Key | None:
    """The key that the score names, unless the last bass note and the key profile agree on another tonic.

    Bach's signatures are often those of the church modes (C minor with two flats), which software reads as G minor.
    """
    stated = laid.key if score.keys_are_explicit else None
    durations = np.zeros(12)
    for part in (part for parts in voices.values() for part in parts):
        np.add.at(durations, part.pitch % 12, part.duration)
    profiled = key_of_durations(durations)
    ends = [parts[0].pitch[-1] % 12 for voice, parts in voices.items() if voice.startswith("bass")]
    if stated is None or not ends or ends[0] == stated.tonic or profiled is None or profiled.tonic != ends[0]:
        return stated or profiled
    return profiled


def _chorale_title(bwv: str) -> str:
    titles = corpus.chorales.ChoraleList().byBWV
    for number, row in titles.items():
        if str(number) == bwv:
            return f"{row['title']}, BWV {bwv}"
    return f"Chorale, BWV {bwv}"


def _read_quartet(path: Path, source: Source) -> Gathered:
    name = path.relative_to(BUNDLED).as_posix()
    work = name.removesuffix(".mxl").partition("/movement")[0]
    composer, title, origin = _QUARTETS[work]
    movement = re.search(r"movement(\d)", path.stem)
    if movement:
        title += f", movement {movement[1]}"
    (score,) = read_score(path)
    violin = [part for part in score.parts if part.track == score.parts[0].track]
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for run in runs_of(bars_of(score)):
        used = 0
        for laid in unbroken(run, score.resolution, FEWEST_BARS):
            bars = f"{laid.bars[0].bar.number}-{laid.bars[-1].bar.number}"
            place = f"{name}#{bars}"
            key = laid.key if score.keys_are_explicit else None
            tempo = _tempo(score, laid.bars[0].bar.start)
            try:
                melody, rounded = melody_of(
                    laid, score, violin, key=key, tempo=tempo, title=f"{title}, bars {bars}", source=place
                )
            except UnfitError as error:
                skipped.append(Skipped(place, str(error)))
                continue
            used += len(laid.bars)
            entries.append(_entry(melody, work, source, composer, rounded, origin))
        if used < len(run):
            left = f"{len(run) - used} of {len(run)} bars: of the wrong length, or in runs of under {FEWEST_BARS}"
            skipped.append(Skipped(f"{name}#{run[0].bar.number}-{run[-1].bar.number}", left))
    return entries, skipped


def _read_tune_book(path: Path, source: Source) -> Gathered:
    name = path.relative_to(BUNDLED).as_posix()
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for tune in tunes_in(path):
        place = f"{name}#{tune.text.number}"
        try:
            score = read_abc_tune(tune.text)
            if len({part.track for part in score.parts}) > 1:
                raise UnfitError("it has several voices")
            runs = list(runs_of(bars_of(score)))
            if len(runs) > 1:
                raise UnfitError("its key or meter changes on the way")
            laid = laid_out(runs[0], score.resolution)
            key = laid.key if score.keys_are_explicit else None
            melody, rounded = melody_of(
                laid, score, score.parts, key=key, tempo=_tempo(score), title=tune.title, source=place
            )
            entries.append(_entry(melody, place, source, tune.composer or "Traditional", rounded))
        except UnfitError as error:
            skipped.append(Skipped(place, str(error)))
        except ScoreError as error:
            skipped.append(Skipped(place, error.text))
    return entries, skipped


def _tempo(score: Score, until: int = 0) -> Tempo:
    """The last tempo written up to a tick, if it is one that people play."""
    rates = [rate for tick, rate in score.tempos if tick <= until and 20 <= rate <= 400]
    return Tempo.constant(round(rates[-1], 3)) if rates else Tempo()


def _entry(melody: Melody, piece: str, source: Source, composer: str, rounded: int, origin: str = "") -> Entry:
    return Entry(
        melody,
        piece,
        collection=source.collection,
        composer=composer,
        licence=source.licence(origin),
        rounded=rounded,
    )


def transcribers(source: Source) -> Iterator[str]:
    """Yield who typed the tunes of a tune book, one name for each tune that has one."""
    for path in source.paths():
        if path.suffix == ".abc":
            yield from (tune.transcriber for tune in tunes_in(path) if tune.transcriber)


SOURCES: tuple[Source, ...] = (
    Source(
        "chorales",
        ("bach/bwv*.mxl", "bach/bwv*.xml"),
        "Johann Sebastian Bach, 1685-1750",
        "most encoded by Margaret Greentree, who reserves her PDF engravings; only Bach's notes are taken here",
        _read_chorale,
    ),
    Source(
        "quartets",
        tuple(f"{work}.mxl" for work in _QUARTETS) + tuple(f"{work}/*.mxl" for work in _QUARTETS),
        "Haydn, Mozart and Beethoven, first prints 1764-1827",
        "encoded by volunteers with Finale, Sibelius and MuseScore; the files name no restriction",
        _read_quartet,
    ),
    Source(
        "ryan",
        ("ryansMammoth/*.abc",),
        "Ryan's Mammoth Collection, Boston 1883",
        "typed by volunteers; the files name no restriction",
        _read_tune_book,
    ),
    Source(
        "oneill",
        ("oneills1850/*.abc",),
        "O'Neill's Music of Ireland, Chicago 1903",
        "typed by volunteers; the files name no restriction",
        _read_tune_book,
    ),
    Source(
        "aird",
        ("airdsAirs/*.abc",),
        "Aird's Selection of Scotch, English, Irish and Foreign Airs, Glasgow 1778-1801",
        "typed by Jack Campin, 2009; the files name no restriction",
        _read_tune_book,
    ),
)
