"""What a page needs to show and play a melody: its score, its piano roll, its notes in seconds, and a piano."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cantilena.io import NoteAnnotation, piano_roll_svg, render_note, score_with_timemap, sound_bytes
from cantilena.io.sound.piano import release_seconds
from cantilena.io.sound.render import reverb_response
from cantilena.music import TICKS_PER_QUARTER, Melody
from cantilena.reporting.data import ReportData, SystemMelodies
from cantilena.reporting.text import counted

CLIP_RATE = 32_000
"""The sampling rate of the notes in a page."""

FILES = ("mid", "musicxml", "svg", "wav")
"""The suffixes of a melody's files beside the report."""

_LONGEST_CLIP = 4.0  # seconds
_SCORE_WIDTH = 640  # pixels before the page scales it to a card: readable on a phone


@dataclass(frozen=True)
class Player:
    """One melody as the page shows it.

    Args:
        label: its heading.
        facts: key, meter and length in words.
        seconds: its duration.
        payload: score, roll and notes, packed (`packed`).
        links: (suffix, address relative to the report) of each file.
    """

    label: str
    facts: str
    seconds: float
    payload: str
    links: tuple[tuple[str, str], ...]


def player(system: SystemMelodies, index: int) -> Player:
    """Prepare a melody of a system for the page."""
    melody, stem = system.melodies[index], system.stem(index)
    links = tuple((suffix, quote(f"{stem}.{suffix}", safe="/")) for suffix in FILES)
    label = stem.rsplit("/", 1)[-1] + (f" · {melody.title}" if melody.title else "")
    return Player(label, melody_facts(melody), melody.seconds, packed(score_and_notes(melody)), links)


def score_and_notes(
    melody: Melody,
    *,
    width: int = _SCORE_WIDTH,
    annotations: Mapping[int, NoteAnnotation] | None = None,
    with_roll: bool = True,
) -> dict[str, Any]:
    """The score and the piano roll of a melody as SVG, and the times of its note heads and notes in seconds.

    Args:
        melody: the melody.
        width: of the score in pixels before the page scales it.
        annotations: the appearance of notes, by their index in `sounding`.
        with_roll: whether to draw the piano roll.
    """
    engraving = score_with_timemap(melody, width=width, heading=False, annotations=annotations)
    at = melody.tempo.seconds
    roll_width = min(max(40 + 15 * melody.length // TICKS_PER_QUARTER, 640), 4000)  # in one line, 15 a quarter note
    return {
        "seconds": round(melody.seconds, 4),
        "score": engraving.svg,
        "roll": piano_roll_svg(melody, width=roll_width) if with_roll else "",
        "heads": [[head.id, round(head.onset, 4), round(head.end, 4)] for head in engraving.timemap],
        "notes": [[round(at(note.onset), 4), round(at(note.end), 4), *note.pitches] for note in melody.sounding],
    }


def melody_facts(melody: Melody) -> str:
    """Key, meter and length in words.

    Examples:
        >>> melody_facts(Melody.from_pitches([(60, 24), (62, 72)]))
        '4/4 · 2 notes · 2 s'
    """
    count = counted(len(melody.sounding), "note")
    parts = [melody.key.name if melody.key else "", str(melody.meter), count, f"{melody.seconds:.0f} s"]
    return " · ".join(part for part in parts if part)


def packed(value: Any) -> str:  # noqa: ANN401  (anything JSON can hold)
    """A value as compressed JSON for a page (zlib, base 64), which unpacks it when it comes into view.

    Examples:
        >>> json.loads(zlib.decompress(base64.b64decode(packed({"notes": [[0.0, 0.5, 60]]}))))
        {'notes': [[0.0, 0.5, 60]]}
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return _base64(zlib.compress(text.encode(), 9))


def piano_for(melodies: Iterable[Melody]) -> dict[str, Any]:
    """The piano that a page needs to play melodies: a clip of each pitch, as long as its longest note, and the room.

    Returns:
        `{"clips": {pitch: FLAC in base 64}, "release": {pitch: seconds}, "room": FLAC in base 64}`. The impulse
        response of the room is scaled to full range; `room_gain` undoes that.
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
        "clips": {str(pitch): _base64(sound_bytes(clip, CLIP_RATE, "FLAC")) for pitch, clip in clips.items()},
        "release": {str(pitch): round(release_seconds(pitch), 3) for pitch in clips},
        "room": _base64(sound_bytes(room / gain, CLIP_RATE, "FLAC")),
        "room_gain": gain,
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


@dataclass(frozen=True)
class ShownScore:
    """A melody whose score a report shows large, as the paper does.

    Args:
        name: of its file, without suffix.
        title: of the score.
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
        for figure, name in (("4", before), ("7", after)):
            if name in by_name:
                title = f"Figure {figure}: a melody by {name}"
                shown.append(ShownScore(f"figure-{figure}", title, "The first that it composed.", by_name[name][0]))
        if before in by_name:
            dull = max(by_name[before], key=longest_repetition)
            caption = (
                f"Of its {len(by_name[before])} melodies here, the one with the longest run of one note: "
                f"{longest_repetition(dull)} in a row."
            )
            title = f"Figure 5: the most repetitive melody by {before}"
            shown.insert(1, ShownScore("figure-5", title, caption, dull))
    return tuple(shown)


def longest_repetition(melody: Melody) -> int:
    """How often one note or chord is struck in a row at most.

    Examples:
        >>> longest_repetition(Melody.from_pitches([(60, 6), (62, 6), (62, 6), (None, 6), (62, 6), (60, 6)]))
        3
    """
    longest = row = 0
    before: tuple[int, ...] = ()
    for note in melody.sounding:
        row = row + 1 if note.pitches == before else 1
        before, longest = note.pitches, max(longest, row)
    return longest
