"""Compare the chords that are inferred from songs with analyses by people.

    python scripts/check_chords.py FOLDER SCORES [--all]

FOLDER holds analyses in RomanText and `index.tsv`, a line a song: the analysis, a tab, and its score below SCORES
(MusicXML). music21, which is installed for development, reads the analyses. Of every three songs the first served to
choose the model's settings; the numbers are those of the other two, with --all of each. The analyses are never learned
from. `docs/harmony.md` shows the result.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import get_args

import numpy as np

from cantilena.data import ReadOptions, chords_of_score, extract_melody
from cantilena.io import Score, read_score
from cantilena.music import (
    CHORD_TONES,
    QUALITIES,
    TICKS_PER_QUARTER,
    ChordTrack,
    Every,
    Melody,
    chord_model,
    infer_chords,
)

UNKNOWN = -1
"""No root or no quality of ours, or a passage that the analysis leaves out."""


WITHOUT, ALONE, BASELINE = "half-beat, no melody", "a melody alone", "one template a bar"


@dataclass(frozen=True)
class Label:
    """A chord of an analysis.

    Args:
        tick: where it begins.
        figure: as written.
        root: pitch class by music21, or `UNKNOWN`.
        quality: index in `QUALITIES`, or `UNKNOWN`.
        tones: its pitch classes.
    """

    tick: int
    figure: str
    root: int
    quality: int
    tones: frozenset[int]


def labels_of(path: Path, score: Score) -> list[Label]:
    """The chords of an analysis, at the ticks of the score."""
    from music21 import converter

    def ticks(time: int) -> int:
        return round(time * TICKS_PER_QUARTER / score.resolution)

    measures = list(converter.parse(path, format="romantext").recurse().getElementsByClass("Measure"))
    bars = {bar.number: bar for bar in reversed(score.bars)}
    # Some scores count an incomplete first bar as 1 where the analysis begins with 0.
    shift = 1 if measures[0].number == 0 and score.bars[0].number == "1" else 0
    labels = []
    for measure in measures:
        bar = bars.get(str(measure.number + shift))
        if bar is None:
            continue
        start = ticks(bar.start)
        meter = [meter for tick, meter in score.meters if tick <= bar.start][-1]
        missing = max(meter.ticks_per_bar - (ticks(bar.end) - start), 0) if bar is score.bars[0] else 0
        for numeral in measure.recurse().getElementsByClass("RomanNumeral"):
            place = round(float(numeral.getOffsetInHierarchy(measure)) * TICKS_PER_QUARTER)
            labels.append(label_of(numeral, max(start + place - (0 if measure.paddingLeft else missing), start)))
    return sorted(labels, key=lambda label: label.tick)


def label_of(numeral: object, tick: int) -> Label:
    """A numeral of music21 as a label; ninths and other tensions do not change its quality."""
    if not numeral.pitches:  # type: ignore[attr-defined]
        return Label(tick, numeral.figure, UNKNOWN, UNKNOWN, frozenset())  # type: ignore[attr-defined]
    third, fifth, seventh = (numeral.semitonesFromChordStep(step) for step in (3, 5, 7))  # type: ignore[attr-defined]
    tones = (0, third, fifth) if seventh is None else (0, third, fifth, seventh)
    quality = next((place for place, name in enumerate(QUALITIES) if CHORD_TONES[name] == tones), UNKNOWN)
    classes = frozenset(pitch.pitchClass for pitch in numeral.pitches)  # type: ignore[attr-defined]
    return Label(tick, numeral.figure, numeral.root().pitchClass, quality, classes)  # type: ignore[attr-defined]


def by_tick(labels: list[Label], length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Root, quality and place in the list of the label that holds at each tick; -1 before the first one."""
    place = np.searchsorted([label.tick for label in labels], np.arange(length), side="right") - 1
    roots, qualities = (np.array([getattr(label, name) for label in labels]) for name in ("root", "quality"))
    return np.where(place < 0, UNKNOWN, roots[place]), np.where(place < 0, UNKNOWN, qualities[place]), place


def track_by_tick(track: ChordTrack, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Root and quality of a track at each tick; -2, which agrees with nothing, without a chord."""
    roots, qualities = np.full(length, -2), np.full(length, -2)
    for onset, duration, chord in track.spans(length):
        if chord.root is not None:
            roots[onset : onset + duration] = chord.root
            qualities[onset : onset + duration] = QUALITIES.index(chord.quality)
    return roots, qualities


def one_chord_a_bar(score: Score, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The baseline: in each bar the chord whose template fits its notes best, whatever comes before."""
    templates = chord_model().tones + np.log(12)
    starts = [bar.start for bar in score.bars]
    roots, qualities = np.full(length, -2), np.full(length, -2)
    for start, end in zip(starts, [*starts[1:], score.bars[-1].end], strict=True):
        heard = np.zeros(12)
        for part in score.parts:
            overlap = np.minimum(part.onset + part.duration, end) - np.maximum(part.onset, start)
            np.add.at(heard, part.pitch % 12, np.maximum(overlap, 0))
        fit = np.array([np.roll(heard, -root) @ templates.T for root in range(12)])
        first, last = (round(time * TICKS_PER_QUARTER / score.resolution) for time in (start, end))
        roots[first:last], qualities[first:last] = np.unravel_index(fit.argmax(), fit.shape)
    return roots, qualities


def melody_chords(melody: Melody, length: int) -> ChordTrack:
    """The chords that a melody implies alone."""
    pitch, onset, duration = np.array([(note.top, note.onset, note.duration) for note in melody.sounding]).T
    return infer_chords(
        pitch, onset, duration, melody.meter, pickup=melody.pickup, length=length, key=melody.key, melody_only=True
    )


def kind_of(labels: list[Label], place: int, root: int, quality: int) -> str:
    """How a wrong root relates to the analysis."""
    label = labels[place]
    near = [labels[other].root for other in (place - 1, place + 1) if 0 <= other < len(labels)]
    label_quality = QUALITIES[label.quality] if label.quality != UNKNOWN else ""
    found = {(root + tone) % 12 for tone in CHORD_TONES[QUALITIES[quality]]} if root >= 0 else set()
    if any(name in label.figure for name in ("Ger", "It", "Fr")):
        return "augmented sixth"
    if label_quality == "dim7" and found == label.tones:
        return "diminished seventh, spelled from another tone"
    if "64" in label.figure and label.figure[0] in "Ii" and (root - label.root) % 12 == 7:
        return "cadential six-four"
    if root in near:
        return "root of the chord before or after"
    return "two or more tones in common" if len(found & label.tones) >= 2 else "other"


def main() -> None:
    """Print the agreement, the kinds of misses, and the songs that agree worst."""
    warnings.filterwarnings("ignore")
    folder, scores = Path(sys.argv[1]), Path(sys.argv[2])
    songs = [line.split("\t") for line in (folder / "index.tsv").read_text(encoding="utf-8").splitlines()]
    chosen = songs if "--all" in sys.argv else [song for place, song in enumerate(songs) if place % 3]
    agreement = {name: np.zeros(3) for name in (*get_args(Every), WITHOUT, ALONE, BASELINE)}
    misses = Counter[str]()
    worst = []
    seconds = bars = 0.0
    for analysis, file in chosen:
        score = read_score(scores / file)[0]
        labels = labels_of(folder / analysis, score)
        every = {}
        for name in get_args(Every):
            started = perf_counter()
            chords = chords_of_score(score, every=name)
            seconds += (perf_counter() - started) * (name == "half-beat" and bars > 0)
            every[name] = track_by_tick(chords.track, chords.length)
        bars += len(score.bars)
        melody = extract_melody(score, ReadOptions()).melody
        every[WITHOUT] = track_by_tick(chords_of_score(score, without_melody=melody).track, chords.length)
        every[ALONE] = track_by_tick(melody_chords(melody, chords.length), chords.length)
        every[BASELINE] = one_chord_a_bar(score, chords.length)
        roots, qualities, places = by_tick(labels, chords.length)
        known = roots >= 0
        for name, (found, quality) in every.items():
            agrees = known & (found == roots)
            counted = known & (found >= 0) if name == ALONE else known  # a song begins and ends without its voice
            agreement[name] += (counted.sum(), agrees.sum(), (agrees & (quality == qualities)).sum())
        found, quality = every["half-beat"]
        wrong = np.flatnonzero(known & (found != roots))
        for place, root, other in zip(places[wrong], found[wrong], quality[wrong], strict=True):
            misses[kind_of(labels, int(place), int(root), int(other))] += 1
        worst.append((1 - len(wrong) / max(known.sum(), 1), analysis.removesuffix(".rntxt")))
    print(f"{len(chosen)} songs, {1000 * seconds / bars * 100:.0f} ms for 100 bars after the first song")
    print(f"{'chords may change every':<24} {'root':>6} {'root and quality':>17}")
    for name, (total, right, both) in agreement.items():
        print(f"{name:<24} {right / total:>6.1%} {both / total:>17.1%}")
    missed = misses.total()
    print("\nof the time with another root (half-beat):")
    for kind, count in misses.most_common():
        print(f"  {count / missed:>5.1%}  {kind}")
    print("\nthe songs that agree worst:")
    for share, name in sorted(worst)[:8]:
        print(f"  {share:>5.1%}  {name}")


if __name__ == "__main__":
    main()
