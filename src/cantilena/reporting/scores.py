"""What a page needs to show and play a melody: its score, its piano roll, its notes in seconds, and a piano.

Which scores a report shows large: the paper's figures 4, 5 and 7.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cantilena.io import NoteAnnotation, piano_roll_svg, render_note, score_with_timemap, sound_bytes
from cantilena.io.sound.piano import release_seconds, reverb_response
from cantilena.music import TICKS_PER_QUARTER, Melody
from cantilena.reporting.data import ReportData, SystemMelodies

CLIP_RATE = 32_000
"""Samples a second of the notes in a page."""

_LONGEST_CLIP = 4.0
"""Seconds that a key of the page's piano can be held."""

_SCORE_WIDTH = 640
"""Pixels of a score before the page fits it to a card: staves that can be read on a telephone."""

FILES = ("mid", "musicxml", "svg", "wav")
"""The forms of a melody that lie beside the report."""


@dataclass(frozen=True)
class Player:
    """One melody as the page shows it.

    Args:
        label: what to call it.
        facts: key, meter and length in words.
        seconds: how long it lasts.
        payload: score, roll and notes, packed (`packed`).
        links: (suffix, address relative to the report) of each file.
    """

    label: str
    facts: str
    seconds: float
    payload: str
    links: tuple[tuple[str, str], ...]


def player(system: SystemMelodies, index: int) -> Player:
    """Make a melody of a system ready for the page.

    Args:
        system: whose melody.
        index: which, from 0.
    """
    melody, stem = system.melodies[index], system.stem(index)
    links = tuple((suffix, quote(f"{stem}.{suffix}", safe="/")) for suffix in FILES)
    label = stem.rsplit("/", 1)[-1] + (f" · {melody.title}" if melody.title else "")
    return Player(label, facts_of(melody), melody.seconds, packed(followed(melody)), links)


def followed(
    melody: Melody,
    *,
    width: int = _SCORE_WIDTH,
    annotations: Mapping[int, NoteAnnotation] | None = None,
    with_roll: bool = True,
) -> dict[str, Any]:
    """A melody's score and roll as SVG, and when its note heads and notes sound, in seconds.

    Args:
        melody: the melody.
        width: pixels of the score before the page fits it to its place.
        annotations: what is added to its notes, by their index in `sounding`.
        with_roll: whether the piano roll is wanted.
    """
    engraving = score_with_timemap(melody, width=width, heading=False, annotations=annotations)
    at = melody.tempo.seconds
    return {
        "seconds": round(melody.seconds, 4),
        "score": engraving.svg,
        "roll": piano_roll_svg(melody, width=_roll_width(melody)) if with_roll else "",
        "heads": [[head.id, round(head.onset, 4), round(head.end, 4)] for head in engraving.timemap],
        "notes": [[round(at(note.onset), 4), round(at(note.end), 4), *note.pitches] for note in melody.sounding],
    }


def facts_of(melody: Melody) -> str:
    """Key, meter and length in words.

    Example:
        >>> facts_of(Melody.from_pitches([(60, 24), (62, 72)]))
        '4/4 · 2 notes · 2 s'
    """
    count = len(melody.sounding)
    parts = [melody.key.name if melody.key else "", str(melody.meter), f"{count} note{'' if count == 1 else 's'}"]
    return " · ".join([part for part in parts if part] + [f"{melody.seconds:.0f} s"])


def packed(value: Any) -> str:  # noqa: ANN401  (anything JSON can hold)
    """A value as compressed JSON in letters that can stand in a page (zlib, base 64); the page unpacks it when seen.

    Example:
        >>> json.loads(zlib.decompress(base64.b64decode(packed({"notes": [[0.0, 0.5, 60]]}))))
        {'notes': [[0.0, 0.5, 60]]}
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def piano_for(melodies: Iterable[Melody]) -> dict[str, Any]:
    """The piano that a page needs to play melodies: a clip of each pitch, as long as its longest note, and the room.

    Returns:
        `{"clips": {pitch: FLAC in base 64}, "release": {pitch: seconds}, "room": FLAC in base 64}`. The room's answer
        is scaled to full range; `room_gain` undoes that.
    """
    held: dict[int, float] = {}
    for melody in melodies:
        for note in melody.sounding:
            seconds = melody.tempo.seconds(note.end) - melody.tempo.seconds(note.onset)
            for pitch in note.pitches:
                held[pitch] = max(held.get(pitch, 0.0), min(seconds, _LONGEST_CLIP))
    room = reverb_response(CLIP_RATE)
    gain = float(abs(room).max())
    clips = {pitch: render_note(pitch, seconds=held[pitch], rate=CLIP_RATE) for pitch in sorted(held)}
    return {
        "clips": {str(pitch): _letters(sound_bytes(clip, CLIP_RATE, "FLAC")) for pitch, clip in clips.items()},
        "release": {str(pitch): round(release_seconds(pitch), 3) for pitch in clips},
        "room": _letters(sound_bytes(room / gain, CLIP_RATE, "FLAC")),
        "room_gain": gain,
    }


def _roll_width(melody: Melody) -> int:
    """Pixels that hold a melody's piano roll in one line, 15 a quarter note and its keyboard."""
    return min(max(40 + 15 * melody.length // TICKS_PER_QUARTER, 640), 4000)


def _letters(content: bytes) -> str:
    return base64.b64encode(content).decode()


@dataclass(frozen=True)
class ShownScore:
    """A melody whose score a report shows large, as the paper does.

    Args:
        name: of its file, without suffix.
        title: what it shows.
        caption: how it was chosen.
        melody: the melody.
    """

    name: str
    title: str
    caption: str
    melody: Melody


def shown_scores(data: ReportData) -> tuple[ShownScore, ...]:
    """The paper's figures 4, 5 and 7: a melody by the LSTM, its most repetitive one, and one by the tuned model."""
    by_name = {system.name: system.melodies for system in data.melodies if system.melodies}
    shown = []
    for before, after in data.tuned[:1]:
        if before in by_name:
            dull = max(by_name[before], key=longest_repetition)
            shown.append(
                ShownScore(
                    "figure-4", f"Figure 4: a melody by {before}", "The first that it composed.", by_name[before][0]
                )
            )
            shown.append(
                ShownScore(
                    "figure-5",
                    f"Figure 5: the most repetitive melody by {before}",
                    f"Of its {len(by_name[before])} melodies here, the one with the longest run of one note: "
                    f"{longest_repetition(dull)} in a row.",
                    dull,
                )
            )
        if after in by_name:
            shown.append(
                ShownScore(
                    "figure-7", f"Figure 7: a melody by {after}", "The first that it composed.", by_name[after][0]
                )
            )
    return tuple(shown)


def longest_repetition(melody: Melody) -> int:
    """How often one note or chord is struck in a row at most.

    Example:
        >>> longest_repetition(Melody.from_pitches([(60, 6), (62, 6), (62, 6), (None, 6), (62, 6), (60, 6)]))
        3
    """
    longest = row = 0
    before: tuple[int, ...] = ()
    for note in melody.sounding:
        row = row + 1 if note.pitches == before else 1
        before, longest = note.pitches, max(longest, row)
    return longest
