"""One file of scores to the melodies in it: what a worker does for each file of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cantilena.data.chords import chords, nearest_ticks
from cantilena.data.melody_choice import Span, melody_parts, top_line
from cantilena.data.options import ReadOptions
from cantilena.data.paper_reading import paper_reading
from cantilena.errors import ScoreError
from cantilena.io import Part, Score, read_safely, read_score
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Meter, Note, Tempo, key_of_durations


@dataclass(frozen=True, slots=True)
class ExtractedMelody:
    """A melody taken from a score, and what taking it cost.

    Args:
        melody: the notes, at 24 ticks a quarter; none where the score could not be used.
        folded: notes moved by octaves (always 0 here: a score is taken at its own pitch).
        rounded: notes whose onset or end was moved to a tick.
        dropped: notes that were left out: what accompanies a melody, a pitch struck twice in one chord, grace notes
            of notation, notes of MIDI that never end.
        trouble: why this tune of a book of tunes could not be used, or "".
    """

    melody: Melody
    folded: int = 0
    rounded: int = 0
    dropped: int = 0
    error: str = ""


def extract(path: Path, options: ReadOptions) -> list[ExtractedMelody]:
    """Read a file and take what the options ask from each score in it.

    To be called in a worker process: parsers of foreign files may crash. The melodies' source is the file's name.

    Args:
        path: the file.
        options: what to take.

    Returns:
        One melody a score, in order; a tune of a book that could not be used has no notes and says its `error`.

    Raises:
        ScoreError: nothing in it can be used, with the reason.
        MissingError: it needs an optional library.
    """
    taken: list[ExtractedMelody] = []
    scores = read_score(path)
    for score in scores:
        try:
            taken.append(_taken(score, options, path.name))
        except ScoreError as error:
            if len(scores) == 1:
                raise
            taken.append(ExtractedMelody(Melody((), title=score.title, source=path.name), error=error.text))
    if not any(extracted.melody.sounding for extracted in taken):
        raise ScoreError(f"none of its {len(taken)} tunes can be used: {taken[0].error}")
    return taken


def read_melody(path: Path | str, options: ReadOptions | None = None) -> Melody:
    """Read the melody of one file; of a book of tunes, the first that can be used.

    The file is read in a process of its own, so that a broken one does no harm.

    Args:
        path: a file of MIDI, MusicXML, ABC or kern.
        options: what to take; the melody line where left out.

    Raises:
        ScoreError: it cannot be used; the text says which file and why.
        MissingError: it is in notation and the extra `notation` is not installed.
    """
    options, path = options or ReadOptions(), Path(path)
    scores = read_safely(path, seconds=options.time_limit, memory=options.memory_limit * 2**20)
    score = next((score for score in scores if score.parts), scores[0])
    try:
        return _taken(score, options, path.name).melody
    except ScoreError as error:
        raise ScoreError(f"cannot use {path}: {error.text}", error.hint) from error


read = read_melody
"""The name that this function has at the root: `cantilena.read`."""


def extract_melody(score: Score, options: ReadOptions) -> ExtractedMelody:
    """The melody line of a score: one note at a time.

    The parts that hold it are chosen (`melody_parts`), cut, and their top line is taken (`top_line`). The cut comes
    before rounding to ticks: a note stays if it begins before the cut, and ends there at the latest.

    Args:
        score: a score.
        options: `seconds` and `profile` are used.

    Raises:
        ScoreError: it has no notes with pitches in the time that is asked for.
    """
    cut = _cut(score, options)
    notes = _notes(melody_parts(score.parts), cut)
    everything = _notes(_pitched(score), cut)
    _check(score, notes)
    meter, _ = _meter(score)
    onsets, ends = (nearest_ticks(times, score.resolution) for times in (notes.onset, notes.end))
    spans = zip(onsets.tolist(), np.maximum(ends, onsets + 1).tolist(), notes.pitch.tolist(), strict=True)
    line = top_line(list(spans), meter.ticks_per_bar)
    return ExtractedMelody(
        _melody(score, (Note((pitch,), onset, end - onset) for onset, end, pitch in line), options),
        rounded=notes.off_ticks(score.resolution),
        dropped=len(everything.onset) - len(line) + score.lost,
    )


def extract_chords(score: Score, options: ReadOptions) -> ExtractedMelody:
    """All notes and chords of a score, percussion apart.

    Args:
        score: a score.
        options: `reading` `exact` makes chords of notes that are struck together (`chords`); `paper` reads as the
            paper's tools do (`paper_reading`), where cutting comes after quantising. `seconds` and `profile` are used.

    Raises:
        ScoreError: it has no notes with pitches in the time that is asked for.
    """
    cut = _cut(score, options)
    notes = _notes(_pitched(score), cut)
    _check(score, notes)
    if options.reading == "paper":
        reading = paper_reading(score, cut / score.resolution * TICKS_PER_QUARTER)
        return ExtractedMelody(_melody(score, reading.notes, options), rounded=reading.rounded, dropped=score.lost)
    struck = chords(notes.spans(), score.resolution)
    return ExtractedMelody(
        _melody(score, struck, options),
        rounded=notes.off_ticks(score.resolution),
        dropped=len(notes.onset) - sum(len(chord.pitches) for chord in struck) + score.lost,
    )


def _taken(score: Score, options: ReadOptions, source: str) -> ExtractedMelody:
    if score.error:
        raise ScoreError(score.error)
    extracted = extract_melody(score, options) if options.voice == "melody" else extract_chords(score, options)
    return replace(extracted, melody=replace(extracted.melody, source=source))


@dataclass(frozen=True, slots=True)
class _Notes:
    """Notes of several parts: `(notes,)` onsets, ends and pitches, ticks of the score."""

    onset: NDArray[np.int64]
    end: NDArray[np.int64]
    pitch: NDArray[np.int64]

    def spans(self) -> list[Span]:
        return list(zip(self.onset.tolist(), self.end.tolist(), self.pitch.tolist(), strict=True))

    def off_ticks(self, resolution: int) -> int:
        """How many begin or end between ticks at 24 a quarter."""
        is_off = (self.onset * TICKS_PER_QUARTER % resolution != 0) | (self.end * TICKS_PER_QUARTER % resolution != 0)
        return int(np.count_nonzero(is_off))


def _pitched(score: Score) -> tuple[Part, ...]:
    return tuple(part for part in score.parts if len(part) and not part.is_drums)


def _notes(parts: Sequence[Part], cut: float) -> _Notes:
    """The notes of parts that begin before a cut, ended there."""
    if not parts:
        empty = np.zeros(0, np.int64)
        return _Notes(empty, empty, empty)
    onset, duration, pitch = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("onset", "duration", "pitch")
    )
    is_in = onset < cut
    end = np.minimum(onset + duration, int(np.ceil(min(cut, 2.0**62))))
    return _Notes(onset[is_in], end[is_in], pitch[is_in])


def _check(score: Score, notes: _Notes) -> None:
    if not _pitched(score):
        raise ScoreError("it has only percussion", "name a file with pitches in it")
    if not len(notes.onset):
        raise ScoreError("no note begins in the time that is asked for", "ask for more seconds")


def _melody(score: Score, notes: Iterable[Note], options: ReadOptions) -> Melody:
    meter, pickup = _meter(score)
    kept = tuple(notes)
    end = max((note.end for note in kept), default=0)
    cut = int(min(_cut(score, options) / score.resolution * TICKS_PER_QUARTER + 0.5, 2.0**62))
    melody = Melody(
        kept, key=_key(score, options), meter=meter, tempo=_tempo(score, end), pickup=pickup, title=score.title
    )
    return melody if end <= cut else melody.until(max(cut, kept[-1].onset + 1))


def _cut(score: Score, options: ReadOptions) -> float:
    """The time of the score, in its ticks, at which the asked seconds have passed by its own tempo map."""
    if options.seconds is None:
        return float("inf")
    passed = 0.0
    for (start, rate), (end, _) in zip(score.tempos, [*score.tempos[1:], (2**62, 1.0)], strict=True):
        seconds_a_tick = 60.0 / rate / score.resolution
        if passed + (end - start) * seconds_a_tick >= options.seconds:
            return start + (options.seconds - passed) / seconds_a_tick
        passed += (end - start) * seconds_a_tick
    return float("inf")


def _tempo(score: Score, end: int) -> Tempo:
    """The tempo map at 24 ticks a quarter; of several changes at one tick the last counts."""
    ticks = nearest_ticks(np.array([tick for tick, _ in score.tempos]), score.resolution)
    rates = np.clip([rate for _, rate in score.tempos], 1.0, 2000.0)
    is_in = ticks <= end
    return Tempo(tuple(dict(zip(ticks[is_in].tolist(), rates[is_in].tolist(), strict=True)).items()))


def _meter(score: Score) -> tuple[Meter, int]:
    """The meter that holds longest, and the ticks before its first barline (after a pickup or an introduction)."""
    if not score.meters:
        return Meter(), int(nearest_ticks(score.pickup, score.resolution))
    end = max((int((part.onset + part.duration).max()) for part in score.parts), default=0)
    held: dict[Meter, int] = {}
    for (start, meter), (after, _) in zip(score.meters, [*score.meters[1:], (end, Meter())], strict=True):
        held[meter] = held.get(meter, 0) + max(after - start, 0)
    main = max(held, key=lambda meter: held[meter])
    if main == score.meters[0][1]:
        return main, int(nearest_ticks(score.pickup, score.resolution))
    begins = next(tick for tick, meter in score.meters if meter == main)
    return main, int(nearest_ticks(begins, score.resolution)) % main.ticks_per_bar


def _key(score: Score, options: ReadOptions) -> Key | None:
    """The key of the whole piece, however much of it is taken.

    A key that notation names is believed, and so is a minor key in MIDI. A major key in MIDI is often what a program
    put there: with sharps or flats it leaves the choice between itself and its relative minor key to the profile,
    and C major says nothing.
    """
    first = score.keys[0][1] if score.keys else None
    if first is not None and (score.keys_are_explicit or first.mode == "minor"):
        return first
    durations = np.zeros(12)
    for part in score.parts:
        if not part.is_drums:
            np.add.at(durations, part.pitch % 12, part.duration)
    is_telling = first is not None and first.fifths != 0
    among = (first, Key((first.tonic + 9) % 12, "minor")) if first is not None and is_telling else ()
    return key_of_durations(durations, options.profile, among)
