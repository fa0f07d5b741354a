"""The chord lane: the chords of a melody bar by bar, as text that can be edited, and those that its key offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cantilena.errors import UsageError
from cantilena.music import Chord, ChordTrack, Key, Melody, chord_palette, find_key
from cantilena.studio.schemas.melody import MelodySchema
from cantilena.studio.schemas.responses import ChordChoice, ChordLane, PlacedChord


def chord_lane(melody: Melody, bars: Sequence[str] | None = None) -> ChordLane:
    """Put chords over a melody, or list those that it has.

    Args:
        melody: the melody.
        bars: the chords of each bar from the first barline on; empty where the chord before sounds on. None keeps the
            chords of the melody.

    Raises:
        UsageError: a bar has no chord symbols, or there are more bars than the melody has.

    Examples:
        >>> tune = Melody.from_pitches([(60, 96), (67, 96)])
        >>> lane = chord_lane(tune, ["C", "F G7"])
        >>> lane.bars, [(chord.onset, chord.roman) for chord in lane.chords]
        (['C', 'F G7'], [(0, 'I'), (96, 'IV'), (144, 'V7')])
    """
    key = melody.key or find_key(melody) or Key()
    if bars is not None:
        melody = replace(melody, chords=_placed(melody, bars))
    return ChordLane(
        melody=MelodySchema.from_melody(melody),
        key=key.name,
        bars=_texts(melody, key),
        chords=[
            PlacedChord(onset=tick, symbol=chord.symbol(key), roman=chord.roman(key)) for tick, chord in melody.chords
        ],
        palette=[
            ChordChoice(symbol=one.chord.symbol(key), roman=one.roman(key), origin=one.origin)
            for one in chord_palette(key)
        ],
    )


def _placed(melody: Melody, bars: Sequence[str]) -> ChordTrack:
    """The chords of bars over a melody; those of its pickup stay."""
    size, start = melody.meter.ticks_per_bar, melody.pickup % melody.meter.ticks_per_bar
    has = max(-(-(melody.length - start) // size), 0)
    if len(bars) > has:
        raise UsageError(f"{len(bars)} bars of chords, and the melody has {has}", f"send {has} bars or fewer")
    changes = dict(melody.chords.between(0, start))
    for number, text in enumerate(bars, start=1):
        if text.strip() in ("", "%"):
            continue
        try:
            track = ChordTrack.parse(text, melody.meter)
        except UsageError as error:
            raise UsageError(f"in bar {number}, {error.text.partition(': ')[2] or error.text}", error.hint) from error
        if track.bars(melody.meter) != 1:
            raise UsageError(f"bar {number} has several bars of chords", "send the chords of one bar each")
        changes |= dict(track.merged().moved(start + (number - 1) * size))
    return ChordTrack(tuple(sorted(changes.items()))).between(0, melody.length)


def _texts(melody: Melody, key: Key) -> list[str]:
    """The chords of each bar as text."""
    size, start = melody.meter.ticks_per_bar, melody.pickup % melody.meter.ticks_per_bar
    onsets = {tick for tick, _ in melody.chords}
    texts = []
    for at in range(start, melody.length, size):
        inside = ChordTrack(tuple(change for change in melody.chords if at <= change[0] < at + size))
        before = melody.chords.at(at)
        if not inside:
            texts.append("")
            continue
        if at not in onsets and at > 0:  # the bar begins with the chord before
            inside = ChordTrack(((at, before or Chord(None)), *inside))
        texts.append(inside.moved(-at).lead_sheet(melody.meter, size, key=key))
    return texts
