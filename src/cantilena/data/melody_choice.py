"""Choosing the melody: the parts that hold it, and its line in their notes."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Sequence

from cantilena.io import Part

Span = tuple[int, int, int]
"""A note of one pitch: onset, end (after the onset) and MIDI number; times in ticks."""

_MELODY_NAMES = (
    re.compile(r"melod|\btune\b|gesang|vocal|vocals|\bvox\b|\blead\b|\bsolo\b|cantus|\bcanto\b"),
    re.compile(r"sopran|treble|dis[ck]ant|descant|superius|oberstimme"),
    re.compile(r"right|\br\.? ?h\b|recht|droite|destra|derecha|direita|\bupper\b"),
    re.compile(r"\bvoice|singstimme|\bstimme|\bvoix\b|\bvoz\b|\bvoce\b|\bchant\b"),
)
"""Names of tracks that hold a melody, the clearest first."""

_OTHER_NAMES = re.compile(
    r"left|\bl\. ?h\b|\blh\b|\blink|gauche|sinistra|izquierda|esquerda|\blower\b|bass|accomp|begleit|chord|akkord|"
    r"harmon|\bpad\b|drum|perc|backing|\bpedal"
)

_OCTAVE = 12
_RECENT = 8
"""Number of notes whose mean is the running line."""


def melody_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts of a score that hold the melody, without drums.

    Parts are chosen by name (melody, vocal, solo; soprano, treble; right hand; voice; in several languages), if those
    of that name span at least half of the piece. Otherwise all parts are returned, and the melody is their top line.
    """
    sounding = tuple(part for part in parts if len(part) and not part.is_drums)
    if len(sounding) <= 1:
        return sounding
    whole = _extent(sounding)
    names = [_normalized(part.name) for part in sounding]
    for pattern in _MELODY_NAMES:
        named = tuple(
            part
            for part, name in zip(sounding, names, strict=True)
            if pattern.search(name) and not _OTHER_NAMES.search(name)
        )
        if named and 2 * _extent(named) >= whole:
            return named
    return sounding


def top_line(notes: Sequence[Span], bar: int) -> list[Span]:
    """Return the top line of many notes, without notes of the accompaniment in its rests.

    Of notes that begin together the highest is kept. A lower note that begins under a sounding one is an inner voice if
    half of it or more lies under that note; if less, the two are legato, and the upper one ends there. If that left
    anything out, notes more than an octave below the running line (the mean of the last eight notes) are taken for
    accompaniment, unless the line stays there for a bar.

    A line of one note at a time is returned unchanged.

    Args:
        notes: in any order.
        bar: ticks a bar.

    Examples:
        >>> top_line([(0, 48, 72), (0, 12, 48), (12, 24, 55), (24, 36, 52), (48, 96, 74)], bar=96)
        [(0, 48, 72), (48, 96, 74)]
    """
    line = _skyline(sorted(notes, key=lambda note: (note[0], -note[2], -note[1])))
    return line if len(line) == len(notes) else _without_drops(line, bar)


def _skyline(ordered: Sequence[Span]) -> list[Span]:
    line: list[Span] = []
    last_onset, last_end, last_pitch = -1, 0, 0
    for onset, end, pitch in ordered:
        if onset == last_onset:
            continue
        if onset < last_end:
            if pitch < last_pitch and 2 * (min(last_end, end) - onset) >= end - onset:
                continue
            line[-1] = (last_onset, onset, last_pitch)
        line.append((onset, end, pitch))
        last_onset, last_end, last_pitch = onset, end, pitch
    return line


def _without_drops(line: Sequence[Span], bar: int) -> list[Span]:
    kept: list[Span] = []
    below: list[Span] = []
    recent: deque[int] = deque(maxlen=_RECENT)
    for note in line:
        if recent and sum(recent) > (note[2] + _OCTAVE) * len(recent):
            below.append(note)
            if note[1] - below[0][0] < bar:
                continue
            # The line has moved.
            kept += below
            recent.clear()
            recent.extend(low[2] for low in below)
        else:
            kept.append(note)
            recent.append(note[2])
        below = []
    return kept


def _extent(parts: Sequence[Part]) -> int:
    """Ticks from the first onset to the last."""
    return int(max(part.onset[-1] for part in parts)) - int(min(part.onset[0] for part in parts))


def _normalized(name: str) -> str:
    """Lower case without accents."""
    letters = unicodedata.normalize("NFKD", name.lower())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
