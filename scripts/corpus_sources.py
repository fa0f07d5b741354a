"""The sources of the built-in corpus: which of music21's bundled scores, their provenance, and how each is read.

Only music whose composer or print is long in the public domain, and whose encoding states no restriction for the notes,
is used. Essen's folk songs (not for commercial use) and modern editions of early music are left out.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import music21
from music21 import converter, corpus, stream

from abc_books import tunes_in
from cantilena.data import Entry, Skipped
from cantilena.music import Key, Melody, Tempo, find_key
from score_bars import UnfitError, bars_of, key_of, laid_out, melody_of, sections, unbroken

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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # music21 warns of oddities that are checked here
        return source.read(BUNDLED / name, source)


def _read_chorale(path: Path, source: Source) -> Gathered:
    score = converter.parse(path)
    name = path.relative_to(BUNDLED).as_posix()
    bwv = path.stem.removeprefix("bwv")
    voices = [(voice, part) for part in score.parts if (voice := _voice(part.partName or ""))]
    if not voices:
        return [], [Skipped(name, "no soprano, alto, tenor or bass")]
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    all_notes: list[Any] = []
    found = []
    for voice, part in voices:
        try:
            found.append((voice, [laid_out(run) for run in sections(bars_of(part))]))
            all_notes += found[-1][1][0].notes
        except UnfitError as error:
            skipped.append(Skipped(f"{name}#{voice}", str(error)))
    key = _chorale_key(found, all_notes) if found else None
    title = _chorale_title(bwv)
    for voice, laid in found:
        for number, part_laid in enumerate(laid, 1):
            place = f"{name}#{voice}" + (f"-{number}" if len(laid) > 1 else "")
            full_title = f"{title} ({voice})" + (f", part {number}" if len(laid) > 1 else "")
            try:
                melody = melody_of(part_laid, key=key, tempo=_tempo(score), title=full_title, source=place)
            except UnfitError as error:
                skipped.append(Skipped(place, str(error)))
                continue
            piece = f"bach/bwv{bwv.partition('-')[0]}"
            entries.append(_entry(melody, piece, source, "Johann Sebastian Bach", part_laid.rounded))
    return entries, skipped


def _voice(part_name: str) -> str:
    match = re.match(r"\s*(Soprano|Alto|Tenor|Bass)( \d)?\b", part_name)
    return (match[1] + (match[2] or "")).lower() if match else ""


def _chorale_key(found: list[tuple[str, list[Any]]], notes: list[Any]) -> Key | None:
    """The key that the score names, unless the last bass note and the key profile agree on another tonic.

    Bach's signatures are often those of the church modes (C minor with two flats), which software reads as G minor.
    """
    stated: Key | None = found[0][1][0].key
    profiled = find_key(Melody(tuple(notes)))
    ends = [laid[-1].notes[-1].top % 12 for voice, laid in found if voice.startswith("bass") and laid[-1].notes]
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
    score = converter.parse(path)
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for run in sections(bars_of(score.parts[0])):
        used = 0
        for first, last, laid in unbroken(run, FEWEST_BARS):
            place = f"{name}#{first}-{last}"
            tempo = _tempo(score, until_bar=first)
            try:
                melody = melody_of(laid, tempo=tempo, title=f"{title}, bars {first}-{last}", source=place)
            except UnfitError as error:
                skipped.append(Skipped(place, str(error)))
                continue
            used += last - first + 1
            entries.append(_entry(melody, work, source, composer, laid.rounded, origin))
        if used < len(run):
            left = f"{len(run) - used} of {len(run)} bars: of the wrong length, or in runs of under {FEWEST_BARS}"
            skipped.append(Skipped(f"{name}#{run[0].number}-{run[-1].number}", left))
    return entries, skipped


def _read_tune_book(path: Path, source: Source) -> Gathered:
    name = path.relative_to(BUNDLED).as_posix()
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    for tune in tunes_in(path):
        place = f"{name}#{tune.number}"
        try:
            if tune.changes & {"K", "L", "M", "V"}:
                raise UnfitError("its key, meter, unit or voice changes on the way")
            score = converter.parse(tune.text, format="abc", forceSource=True)
            part = score.parts[0] if score.parts else score
            runs = list(sections(bars_of(part)))
            if len(runs) > 1:
                raise UnfitError("a bar is too long")
            laid = laid_out(runs[0])
            melody = melody_of(laid, key=_tune_key(part), tempo=_tempo(score), title=tune.title, source=place)
            entries.append(_entry(melody, place, source, tune.composer or "Traditional", laid.rounded))
        except UnfitError as error:
            skipped.append(Skipped(place, str(error)))
        except Exception as error:
            skipped.append(Skipped(place, f"music21 cannot read it: {type(error).__name__}: {error}"[:200]))
    return entries, skipped


def _tune_key(part: stream.Stream) -> Key | None:
    for signature in part.recurse().getElementsByClass("KeySignature"):
        return key_of(signature)
    return None


def _tempo(score: stream.Stream, until_bar: int | None = None) -> Tempo:
    """The last tempo written up to a bar, or the first of all; the default where none is written."""
    rates: list[float] = []
    for mark in score.recurse().getElementsByClass("MetronomeMark"):
        rate, bar = mark.getQuarterBPM(), mark.measureNumber or 0
        if rate and 20 <= rate <= 400 and (bar <= (until_bar or 0) or not rates):
            rates.append(round(float(rate), 3))
        if until_bar is None and rates:
            break
    return Tempo.constant(rates[-1]) if rates else Tempo()


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
