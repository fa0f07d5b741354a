"""The chords of scores and of the built-in chorales: as written, or inferred from other parts than the melody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from cantilena.data.columns import Entry
from cantilena.data.options import ReadLimits
from cantilena.data.score_values import bar_starts, nearest_ticks, score_key, score_meter, written_chords
from cantilena.data.store import Corpus
from cantilena.errors import ScoreError, UsageError
from cantilena.io import PieceSource, Score, read_first, read_piece
from cantilena.music import ChordTrack, Key, Melody, Meter

if TYPE_CHECKING:
    from cantilena.music import Every

ChordSource = Literal["written", "parts", "melody"]
"""Where chords come from: symbols of the score, its parts, or a melody alone."""

_OCTAVE = 12
_CHORD = 3  # notes that begin together
_VOICES = ("soprano", "alto", "tenor", "bass")
_FEWEST_VOICES = 3  # beside a melody of which the chords are asked, in a chorale


@dataclass(frozen=True, slots=True)
class ScoreChords:
    """The chords of a score.

    Args:
        track: the chords.
        source: where they come from.
        key: the key of the piece, None if it is not known.
        meter: the meter that lasts longest.
        length: ticks of the piece.
        bars: (tick, number as printed) of each bar, ascending from 0.
        title: the title.
        doubts: symbols that could not be read, where the chord before sounds on: what, and in which bar.
    """

    track: ChordTrack
    source: ChordSource
    key: Key | None
    meter: Meter
    length: int
    bars: tuple[tuple[int, str], ...]
    title: str = ""
    doubts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The chords as JSON values, times in quarter notes."""
        return {
            "chords": self.track.to_json(self.length, self.key),
            "source": self.source,
            "key": None if self.key is None else self.key.name,
            "meter": str(self.meter),
            "doubts": list(self.doubts),
        }


def read_chords(path: Path | str, limits: ReadLimits | None = None, every: Every = "half-beat") -> ScoreChords:
    """Read the chords of one file, or of one tune of a book.

    It is parsed in a worker process within limits, so that a broken file does no harm.

    Args:
        path: as for `read_melody`.
        limits: what reading may take.
        every: the metrical positions at which inferred chords may change.

    Raises:
        ScoreError: it cannot be read, has no notes, or is too long.
        UsageError: what follows the name of a book names no tune.
    """
    limits = limits or ReadLimits()
    return read_first(
        path, partial(_piece_chords, every=every), seconds=limits.time_limit, memory=limits.memory_limit * 2**20
    )


def chords_of_score(
    score: Score,
    *,
    without_melody: Melody | None = None,
    every: Every = "half-beat",
    profile: str = "krumhansl-kessler",
) -> ScoreChords:
    """Return the chord symbols of a score, or else the chords that its notes imply.

    Args:
        score: a score.
        without_melody: a melody of it whose notes are left out, with what doubles them: notes that begin together in
            unison or at the octave, but for the bass of a chord. If nothing else sounds there are no chords.
        every: the metrical positions at which inferred chords may change.
        profile: the key profile that finds the key where the score names none.

    Raises:
        ScoreError: it has no notes, or is too long.
    """
    if score.error:
        raise ScoreError(score.error)
    parts = [part for part in score.parts if len(part) and not part.is_drums]
    if not parts:
        raise ScoreError("it has no notes", "name a score with pitches in it")
    onset, end = (
        nearest_ticks(np.concatenate(times), score.resolution)
        for times in ([part.onset for part in parts], [part.onset + part.duration for part in parts])
    )
    pitch = np.concatenate([part.pitch for part in parts])
    meter, pickup = score_meter(score)
    key = score_key(score, profile)
    starts = bar_starts(score)
    closes = max((int(nearest_ticks(bar.end, score.resolution)) for bar in score.bars), default=0)
    length = max(int(end.max()), closes, 1)
    source: ChordSource = "parts"
    if score.chords:
        source, track = "written", written_chords(score)
    else:
        from cantilena.music import infer_chords  # loads numba, which written chords do not need

        kept = np.ones(len(pitch), dtype=bool)
        if without_melody is not None:
            kept = ~_doubles(pitch, onset, without_melody)
        elif _is_melody(onset, end):
            source = "melody"
        try:
            track = infer_chords(
                pitch[kept], onset[kept], np.maximum(end - onset, 1)[kept], meter, pickup=pickup, length=length,
                key=key, bar_starts=starts, every=every, melody_only=source == "melody",
            )  # fmt: skip
        except UsageError as error:
            raise ScoreError(error.text, error.hint) from error
    doubts = score.unread_chords if source == "written" else ()
    return ScoreChords(track, source, key, meter, length, _numbered(score, meter, pickup, length), score.title, doubts)


def chorale_voices(corpus: Corpus) -> list[list[Melody]]:
    """The voices of each piece of a corpus of which melodies are voices (`FILE#soprano`), in the corpus's order."""
    pieces: dict[str, list[Melody]] = {}
    for melody in corpus:
        piece, _, voice = melody.source.partition("#")
        if voice in _VOICES:
            pieces.setdefault(piece, []).append(melody)
    return list(pieces.values())


def with_chords_of_other_voices(corpus: Corpus) -> Corpus:
    """Give each voice of a piece for several voices the chords that the other voices imply.

    Args:
        corpus: such as `load_builtin("chorales")`; melodies with fewer than three other voices keep their chords.

    Examples:
        >>> from cantilena.data import load_builtin
        >>> chorales = with_chords_of_other_voices(load_builtin("chorales").where(split="test"))
        >>> [str(chord) for _, chord in chorales[0].chords][:4]
        ['Bm', 'F#7', 'Bm', 'F#7']
    """
    voices: dict[str, list[Melody]] = {}
    for piece in chorale_voices(corpus):
        voices |= {melody.source: piece for melody in piece}
    names = ("piece", "collection", "composer", "licence", "split", "folded", "rounded", "dropped")
    entries = []
    for melody, *values in zip(corpus, *(corpus.column(name) for name in names), strict=True):
        others = [voice for voice in voices.get(melody.source, []) if voice.source != melody.source]
        if len(others) >= _FEWEST_VOICES:
            melody = replace(melody, chords=chords_of_voices(others, melody))
        entries.append(Entry(melody, **dict(zip(names, values, strict=True))))
    return Corpus.from_entries(entries, corpus.manifest)


def chords_of_voices(voices: Sequence[Melody], melody: Melody, every: Every = "half-beat") -> ChordTrack:
    """Infer the chords of a melody from other voices alone.

    Args:
        voices: the others; of their notes those that double the melody are left out.
        melody: its meter, pickup, length and key are used, not its pitches.
        every: the metrical positions at which chords may change.
    """
    from cantilena.music import infer_chords

    notes = [
        (pitch, note.onset, note.duration) for voice in voices for note in voice.sounding for pitch in note.pitches
    ]
    pitch, onset, duration = np.array(notes, dtype=np.int64).reshape(-1, 3).T
    kept = ~_doubles(pitch, onset, melody)
    return infer_chords(
        pitch[kept], onset[kept], duration[kept], melody.meter, pickup=melody.pickup, length=melody.length,
        key=melody.key, every=every,
    ).between(0, melody.length)  # fmt: skip


def _piece_chords(piece: PieceSource, every: Every) -> ScoreChords:
    return chords_of_score(read_piece(piece), every=every)


def _doubles(pitch: NDArray[np.int64], onset: NDArray[np.int64], melody: Melody) -> NDArray[np.bool_]:
    """Which notes are notes of the melody, or begin with one in unison or at the octave.

    The bass of a chord, the lowest of three or more such notes, stays: it is harmony although the melody has its pitch
    class too.
    """
    own = np.array([(note.onset, each) for note in melody.sounding for each in note.pitches], dtype=np.int64)
    if not len(own):
        return np.zeros(len(pitch), dtype=bool)
    moment = onset * 256 + pitch
    own_moment = own[:, 0] * 256 + own[:, 1]
    is_own = np.isin(moment, own_moment)
    is_octave = np.isin(moment, np.concatenate([own_moment - _OCTAVE, own_moment + _OCTAVE]))
    order = np.lexsort((pitch, onset))
    others = order[~is_own[order]]
    _, first, count = np.unique(onset[others], return_index=True, return_counts=True)
    is_octave[others[first[count >= _CHORD]]] = False
    return np.asarray(is_own | is_octave)


def _is_melody(onset: NDArray[np.int64], end: NDArray[np.int64]) -> bool:
    """Whether notes sound one at a time."""
    order = np.lexsort((end, onset))
    return bool((onset[order][1:] >= end[order][:-1]).all())


def _numbered(score: Score, meter: Meter, pickup: int, length: int) -> tuple[tuple[int, str], ...]:
    """The bars of a score; without barlines they are counted, the pickup as 0."""
    if score.bars:
        numbers = {int(nearest_ticks(bar.start, score.resolution)): bar.number for bar in score.bars}
        return tuple(sorted(numbers.items()))
    first = 0 if pickup % meter.ticks_per_bar else 1
    return tuple((start, str(number)) for number, start in enumerate(meter.bar_starts(length, pickup), start=first))
