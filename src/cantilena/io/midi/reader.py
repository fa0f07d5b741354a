"""Reading MIDI files: what is no music in beats is refused with its reason, the rest goes through symusic.

Seconds for many ticks at once: scores that were played change their tempo thousands of times.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from cantilena.errors import ScoreError, UsageError
from cantilena.io.midi.outline import MidiOutline, TrackOutline, midi_outline
from cantilena.io.score import Part, Score
from cantilena.music import TICKS_PER_QUARTER, Key, Meter, Tempo

_MAJOR_TONICS = {fifths: fifths * 7 % 12 for fifths in range(-7, 8)}


def read_midi(content: bytes) -> Score:
    """Read a MIDI file of format 0 or 1.

    A note ends with the first note-off of its pitch and channel that no earlier note has taken. Notes that never end
    are left out and counted as lost. Tracks that play on several channels become several parts.

    Args:
        content: the file's bytes, also wrapped in RIFF (RMID).

    Raises:
        ScoreError: it is not a MIDI file with notes in beats; the text says what it is.
    """
    outline = midi_outline(content)
    parts: list[Part] = []
    tempos: dict[int, float] = {0: 120.0}
    meters: dict[int, Meter] = {}
    keys: dict[int, Key] = {}
    for number, track in enumerate(outline.tracks):
        # One track at a time, so that it is known which part stands in which track.
        read = _library_score(track, outline.division)
        parts += _parts(read, track, number)
        tempos.update((event.time, 60e6 / event.mspq) for event in read.tempos)
        meters.update((event.time, meter) for event in read.time_signatures if (meter := _meter(event)))
        keys.update((event.time, key) for event in read.key_signatures if (key := _key(event)))
    return Score(
        tuple(parts),
        outline.division,
        tempos=tuple(sorted(tempos.items())),
        meters=tuple(sorted(meters.items())),
        keys=tuple(sorted(keys.items())),
        keys_are_explicit=False,
        title=_title(outline),
        lost=sum(track.unended for track in outline.tracks),
    )


def _library_score(track: TrackOutline, division: int) -> Any:  # noqa: ANN401  (symusic tells mypy nothing)
    import symusic

    head = b"MThd" + b"".join(value.to_bytes(2, "big") for value in (0, 6, 1, 1, division))
    chunk = b"MTrk" + len(track.events).to_bytes(4, "big") + track.events
    try:
        score = symusic.Score.from_midi(head + chunk)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ScoreError(f"it is damaged: {error}", "open it in a music program and export it as MIDI again") from error
    if sum(len(part.notes) for part in score.tracks) != track.begun - track.unended:
        raise ScoreError(
            "it is damaged: its notes cannot be told from its other events",
            "open it in a music program and export it as MIDI again",
        )
    return score


def _parts(read: Any, track: TrackOutline, number: int) -> list[Part]:  # noqa: ANN401
    parts = []
    for voice in read.tracks:
        notes = voice.notes.numpy()
        onset = notes["time"].astype(np.int64)
        if not len(onset):
            continue
        order = np.argsort(onset, kind="stable")
        duration, pitch, velocity = (notes[name].astype(np.int64)[order] for name in ("duration", "pitch", "velocity"))
        is_drums = bool(voice.is_drum)
        parts.append(Part(track.name, onset[order], duration, pitch, velocity, is_drums=is_drums, track=number))
    return parts


def _meter(event: Any) -> Meter | None:  # noqa: ANN401
    try:
        return Meter(int(event.numerator), int(event.denominator))
    except UsageError:
        return None  # a meter that does not exist says nothing


def _key(event: Any) -> Key | None:  # noqa: ANN401
    tonic = _MAJOR_TONICS.get(int(event.key))
    if tonic is None or event.tonality not in (0, 1):
        return None
    return Key((tonic + 9) % 12, "minor") if event.tonality else Key(tonic, "major")


def _title(outline: MidiOutline) -> str:
    """The name of the first track, where that is no instrument's."""
    first = outline.tracks[0]
    return first.name if not first.begun or len(outline.tracks) == 1 else ""


def clock(tempo: Tempo) -> Callable[[int], float]:
    """A function that gives the seconds from the start to a tick, as `tempo.seconds` does, by one search.

    Args:
        tempo: the tempo map.

    Example:
        >>> seconds = clock(Tempo(((0, 60.0), (48, 120.0))))
        >>> seconds(24), seconds(72)
        (1.0, 2.5)
    """
    ticks = [tick for tick, _ in tempo.changes]
    pace = [60.0 / rate / TICKS_PER_QUARTER for _, rate in tempo.changes]
    reached = [0.0]
    for (start, end), seconds_a_tick in zip(pairwise(ticks), pace, strict=False):
        reached.append(reached[-1] + (end - start) * seconds_a_tick)

    def seconds(tick: int) -> float:
        index = max(bisect_right(ticks, tick) - 1, 0)
        return reached[index] + (tick - ticks[index]) * pace[index]

    return seconds
