"""From a file of scores to melodies: what a worker does for each file of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cantilena.data.harmony import chords_of_score
from cantilena.data.melody_choice import Span, melody_parts, top_line
from cantilena.data.options import ReadOptions
from cantilena.data.paper_reading import paper_reading
from cantilena.data.score_values import (
    nearest_ticks,
    score_key,
    score_meter,
    score_repeats,
    score_tempo,
    tick_at,
    written_chords,
)
from cantilena.errors import ScoreError, UsageError
from cantilena.io import Doubt, Part, PieceSource, Score, pieces_of, read_first, read_piece
from cantilena.music import TICKS_PER_QUARTER, Melody, Note

_MOST_DOUBTFUL = 0.2
"""The largest share of bars in which notes may stand in the wrong place."""

_FEWEST_DOUBTFUL_BARS = 3
"""Fewer such bars than this do not make a score unusable, however short it is."""


@dataclass(frozen=True, slots=True)
class ExtractedMelody:
    """A melody taken from a score, with the number of notes that were changed.

    Args:
        melody: the notes, at 24 ticks a quarter; empty where the score cannot be used.
        folded: notes moved by octaves (always 0: a score keeps its pitches).
        rounded: notes whose onset or end was rounded to a tick.
        dropped: notes left out: the accompaniment of a melody, a pitch twice in one chord, grace notes of notation,
            notes of MIDI that never end.
        doubts: what could not be read for certain.
        error: why this tune of a book of tunes cannot be used, or "".
    """

    melody: Melody
    folded: int = 0
    rounded: int = 0
    dropped: int = 0
    doubts: tuple[Doubt, ...] = ()
    error: str = ""


def extract(path: Path, options: ReadOptions) -> list[ExtractedMelody]:
    """Read a file and extract a melody from each piece in it, in this process: parsers may crash.

    Returns:
        One melody per piece, in order; a tune of a book that cannot be used has no notes and an `error`.

    Raises:
        ScoreError: nothing in it can be used.
    """
    extracted: list[ExtractedMelody] = []
    failure: ScoreError | None = None
    for piece in pieces_of(path):
        try:
            extracted.append(extract_piece(piece, options))
        except ScoreError as error:
            failure = failure or error
            extracted.append(ExtractedMelody(Melody((), title=piece.title, source=path.name), error=error.text))
    if failure is not None and len(extracted) == 1:
        raise failure
    if not any(one.melody.sounding for one in extracted):
        raise ScoreError(f"none of its {len(extracted)} tunes can be used: {extracted[0].error or 'no notes'}")
    return extracted


def extract_piece(piece: PieceSource, options: ReadOptions) -> ExtractedMelody:
    """Read a piece and extract its melody. Call it in a worker process: parsers may crash.

    Its source is the name of the file, of the later tunes of a book with their place: `airs.abc#3`.

    Raises:
        ScoreError: it cannot be used.
    """
    name = piece.path.name if piece.number == 1 else f"{piece.path.name}#{piece.number}"
    return _extract(read_piece(piece), options, name)


def read_melody(path: Path | str, options: ReadOptions | None = None) -> Melody:
    """Read the melody of one file, or of one tune of a book.

    It is parsed in a worker process within the limits of the options, so that a broken file does no harm.

    Args:
        path: a file of MIDI, MusicXML, ABC or kern. Of a book of tunes, `BOOK#3` is the third tune, `BOOK#X:12` the one
            of that reference number, and `BOOK:TITLE` the one of that title; without any of these, the first tune that
            can be used.
        options: what to extract; by default the melody line.

    Raises:
        ScoreError: it cannot be used, or the book has no such tune; the text names the file and the reason.
        UsageError: what follows the name of the book names no tune.
    """
    options = options or ReadOptions()
    extracted = read_first(
        path,
        partial(extract_piece, options=options),
        seconds=options.time_limit,
        memory=options.memory_limit * 2**20,
    )
    return extracted.melody


@dataclass(frozen=True, slots=True)
class ScoreVoices:
    """The voices of a score, and the melody of one of them.

    Args:
        chosen: the melody of the voice that was asked for, or that is taken for the melody.
        names: of each pitched part of the score.
        voice: the number of the one that was chosen, from 1; 0 for the melody of the whole score.
    """

    chosen: ExtractedMelody
    names: tuple[str, ...]
    voice: int


def read_voices(path: Path | str, options: ReadOptions | None = None, *, voice: int = 0) -> ScoreVoices:
    """As `read_melody`, of one voice of the score, with the names of all.

    Args:
        path: a file of MIDI, MusicXML, ABC or kern.
        options: what to extract.
        voice: a part of the score, from 1; 0 takes what `read_melody` takes.

    Raises:
        ScoreError: it cannot be used.
        UsageError: there is no such voice.
    """
    options = options or ReadOptions()
    read = partial(_extract_voice, options=options, voice=voice)
    found = read_first(path, read, seconds=options.time_limit, memory=options.memory_limit * 2**20)
    if not 0 <= voice <= len(found.names):
        raise UsageError(f"there is no voice {voice}", f"the score has the voices 1 to {len(found.names)}")
    return found


def _extract_voice(piece: PieceSource, options: ReadOptions, voice: int) -> ScoreVoices:
    score = read_piece(piece)
    parts = _pitched(score)
    names = tuple(part.name or f"Voice {number}" for number, part in enumerate(parts, start=1))
    if 1 <= voice <= len(parts):
        score = replace(score, parts=(parts[voice - 1],))
    return ScoreVoices(_extract(score, options, piece.path.name), names, voice)


read = read_melody
"""The name of this function in the root package: `cantilena.read`."""


def extract_melody(score: Score, options: ReadOptions) -> ExtractedMelody:
    """Extract the melody line of a score, one note at a time.

    The parts that hold it are chosen (`melody_parts`), cut, and their top line is taken (`top_line`). The cut comes
    before rounding to ticks: a note that begins before it is kept, and ends there at the latest.

    Args:
        score: a score.
        options: `seconds`, `profile` and `chords` are used.

    Raises:
        ScoreError: it has no pitched notes before the cut.
    """
    cut = tick_at(score, options.seconds)
    parts = melody_parts(score.parts)
    notes = _notes(parts, cut)
    everything = _notes(_pitched(score), cut)
    _check(score, notes)
    meter, _ = score_meter(score)
    onsets, ends = (nearest_ticks(times, score.resolution) for times in (notes.onset, notes.end))
    spans = zip(onsets.tolist(), np.maximum(ends, onsets + 1).tolist(), notes.pitch.tolist(), strict=True)
    line = top_line(list(spans), meter.ticks_per_bar)
    melody = _melody(score, (Note((pitch,), onset, end - onset) for onset, end, pitch in line), options, parts)
    if options.chords == "inferred" and not score.chords:
        inferred = chords_of_score(score, without_melody=melody, profile=options.profile).track
        melody = replace(melody, chords=inferred.between(0, melody.length))
    return ExtractedMelody(
        melody,
        rounded=notes.off_ticks(score.resolution),
        dropped=len(everything.onset) - len(line) + score.lost,
    )


def extract_chords(score: Score, options: ReadOptions) -> ExtractedMelody:
    """Extract all notes and chords of a score, without percussion.

    Args:
        score: a score.
        options: with `reading` `exact` notes that begin together become chords (`group_chords`); `paper` reads as the
            paper's tools do (`paper_reading`), where cutting comes after quantising. `seconds` and `profile` are used.

    Raises:
        ScoreError: it has no pitched notes before the cut.
    """
    cut = tick_at(score, options.seconds)
    notes = _notes(_pitched(score), cut)
    _check(score, notes)
    if options.reading == "paper":
        chords, rounded = paper_reading(score, cut / score.resolution * TICKS_PER_QUARTER)
        return ExtractedMelody(_melody(score, chords, options, score.parts), rounded=rounded, dropped=score.lost)
    spans = zip(notes.onset.tolist(), notes.end.tolist(), notes.pitch.tolist(), strict=True)
    chords = group_chords(spans, score.resolution)
    return ExtractedMelody(
        _melody(score, chords, options, score.parts),
        rounded=notes.off_ticks(score.resolution),
        dropped=len(notes.onset) - sum(len(chord.pitches) for chord in chords) + score.lost,
    )


def group_chords(notes: Iterable[Span], resolution: int) -> list[Note]:
    """Group notes into chords, at 24 ticks a quarter.

    Notes form a chord if they begin within half a tick, a 48th of a quarter note, of the first of them: 10 ms at 120
    quarters a minute. Quick successive notes, such as 64ths (a 16th of a quarter apart), are never fused. A chord
    begins at its first note's nearest tick, at least a tick after the chord before, and lasts as long as its longest
    note.

    Args:
        notes: in any order, in ticks of the score.
        resolution: ticks a quarter note in the score.

    Examples:
        >>> [note.name for note in group_chords([(0, 480, 60), (3, 480, 64), (120, 480, 67), (150, 480, 72)], 480)]
        ['C4+E4', 'G4', 'C5']
    """
    groups: list[list[Span]] = []
    for note in sorted(notes):
        if groups and (note[0] - groups[-1][0][0]) * 2 * TICKS_PER_QUARTER <= resolution:
            groups[-1].append(note)
        else:
            groups.append([note])
    chords: list[Note] = []
    previous = -1
    for group in groups:
        onset = max(int(nearest_ticks(group[0][0], resolution)), previous + 1)
        end = int(nearest_ticks(max(note[1] for note in group), resolution))
        chords.append(Note(tuple(note[2] for note in group), onset, max(end - onset, 1)))
        previous = onset
    return chords


def _extract(score: Score, options: ReadOptions, source: str) -> ExtractedMelody:
    if score.error:
        raise ScoreError(score.error)
    _check_doubts(score)
    extracted = extract_melody(score, options) if options.voice == "melody" else extract_chords(score, options)
    return replace(extracted, melody=replace(extracted.melody, source=source), doubts=score.doubts)


def _check_doubts(score: Score) -> None:
    """Refuse a score where notes may stand in the wrong place in many bars."""
    doubtful = {doubt.bar: doubt for doubt in reversed(score.doubts) if doubt.misplaces}
    if len(doubtful) >= _FEWEST_DOUBTFUL_BARS and len(doubtful) > _MOST_DOUBTFUL * len(score.bars):
        *_, first = doubtful.values()
        raise ScoreError(
            f"{len(doubtful)} of its {len(score.bars)} bars are doubtful, such as bar {first.bar}: {first.text}",
            "correct it in a notation program",
        )


@dataclass(frozen=True, slots=True)
class _Notes:
    """Notes of several parts: `(notes,)` onsets, ends and pitches, ticks of the score."""

    onset: NDArray[np.int64]
    end: NDArray[np.int64]
    pitch: NDArray[np.int64]

    def off_ticks(self, resolution: int) -> int:
        """Count the notes that begin or end between ticks at 24 a quarter."""
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
    if not score.parts:
        raise ScoreError("it has no notes, only chord symbols", "name a file with a melody in it")
    if not _pitched(score):
        raise ScoreError("it has only percussion", "name a file with pitches in it")
    if not len(notes.onset):
        raise ScoreError("no note begins before the cut", "ask for more seconds")


def _melody(score: Score, notes: Iterable[Note], options: ReadOptions, parts: Sequence[Part]) -> Melody:
    meter, pickup = score_meter(score)
    kept = tuple(notes)
    end = max((note.end for note in kept), default=0)
    cut = int(min(tick_at(score, options.seconds) / score.resolution * TICKS_PER_QUARTER + 0.5, 2.0**62))

    melody = Melody(
        kept,
        key=score_key(score, options.profile),
        meter=meter,
        tempo=score_tempo(score, end),
        pickup=pickup,
        title=score.title,
        chords=written_chords(score).between(0, end),
        repeats=score_repeats(score, end),
        phrase_ends=_phrase_ends(score, kept, parts),
    )
    return melody if end <= cut else melody.until(max(cut, kept[-1].onset + 1))


def _phrase_ends(score: Score, notes: Iterable[Note], parts: Sequence[Part]) -> tuple[int, ...]:
    """Where phrases of the parts end with a note that is one of these: other parts may be within a phrase."""
    kept = {(note.end, pitch) for note in notes for pitch in note.pitches}
    found: set[int] = set()
    for part in parts:
        marked = {time: int(nearest_ticks(time, score.resolution)) for time in part.phrase_ends}
        ends = (part.onset + part.duration).tolist()
        pairs = zip(ends, part.pitch.tolist(), strict=True)
        found |= {marked[end] for end, pitch in pairs if end in marked and (marked[end], pitch) in kept}
    return tuple(sorted(found))
