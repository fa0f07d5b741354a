"""What the parts of a score share, at 24 ticks a quarter note: meter, key, tempo, sections, barlines, chord symbols."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cantilena.io import Score
from cantilena.music import TICKS_PER_QUARTER, ChordTrack, Key, Meter, Repeats, Section, Tempo, key_of_durations


def nearest_ticks(times: NDArray[np.int64] | int, resolution: int) -> NDArray[np.int64]:
    """Convert times in ticks of a score to 24 ticks a quarter; halves are rounded up."""
    return np.asarray((2 * times * TICKS_PER_QUARTER + resolution) // (2 * resolution))


def score_meter(score: Score) -> tuple[Meter, int]:
    """The meter that lasts longest, and the ticks before its first barline (of a pickup or an introduction)."""
    meter, first = score.main_meter, int(nearest_ticks(score.first_barline, score.resolution))
    is_throughout = not score.meters or score.meters[0][1] == meter
    return meter, first if is_throughout else first % meter.ticks_per_bar


def score_key(score: Score, profile: str) -> Key | None:
    """The key of the whole piece, however much of it is taken.

    A key that notation states with its mode is taken, and so is a minor key in MIDI. Of a signature alone, as in much
    notation and where MIDI names a major key, the key profile chooses between the major key and its relative minor; C
    major in MIDI, often a program's default, is ignored.
    """
    first = score.keys[0][1] if score.keys else None
    if first is not None and (score.keys_are_explicit or first.mode == "minor"):
        return first
    durations = np.zeros(12)
    for part in score.parts:
        if not part.is_drums:
            np.add.at(durations, part.pitch % 12, part.duration)
    among = (first, Key((first.tonic + 9) % 12, "minor")) if first is not None and (first.fifths or score.bars) else ()
    return key_of_durations(durations, profile, among)


def score_tempo(score: Score, end: int) -> Tempo:
    """The tempo map at 24 ticks a quarter; of several changes at one tick the last one counts."""
    ticks = nearest_ticks(np.array([tick for tick, _ in score.tempos]), score.resolution)
    rates = np.clip([rate for _, rate in score.tempos], 1.0, 2000.0)
    is_in = ticks <= end
    return Tempo(tuple(dict(zip(ticks[is_in].tolist(), rates[is_in].tolist(), strict=True)).items()))


def score_repeats(score: Score, end: int) -> Repeats:
    """The sections at 24 ticks a quarter, up to the end of the last note."""
    written = score.repeats
    sections = tuple(
        Section(
            int(nearest_ticks(one.start, score.resolution)), int(nearest_ticks(one.end, score.resolution)), one.endings
        )
        for one in written.sections
    )
    return replace(written, sections=sections).between(0, end)


def written_chords(score: Score) -> ChordTrack:
    """The chord symbols of a score; of several at one tick the last one counts."""
    return ChordTrack(
        tuple(sorted({int(nearest_ticks(tick, score.resolution)): one for tick, one in score.chords}.items()))
    )


def bar_starts(score: Score) -> list[int]:
    """The ticks at which the bars of notation begin, the first at 0; none if the score has no barlines."""
    starts = sorted({int(nearest_ticks(bar.start, score.resolution)) for bar in score.bars})
    return starts if starts and starts[0] == 0 else [0, *starts] if starts else []


def tick_at(score: Score, seconds: float | None) -> float:
    """The tick of the score, at its own resolution, that its tempo map reaches after some seconds; None is its end."""
    if seconds is None:
        return float("inf")
    passed = 0.0
    for (start, rate), (end, _) in zip(score.tempos, [*score.tempos[1:], (2**62, 1.0)], strict=True):
        seconds_per_tick = 60.0 / rate / score.resolution
        if passed + (end - start) * seconds_per_tick >= seconds:
            return start + (seconds - passed) / seconds_per_tick
        passed += (end - start) * seconds_per_tick
    return float("inf")
