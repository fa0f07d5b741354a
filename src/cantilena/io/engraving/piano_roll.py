"""Piano rolls as SVG: pitch against time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from cantilena.errors import UsageError
from cantilena.io.engraving.spelling import spell_pitch
from cantilena.io.printable import printable
from cantilena.io.timing import tick_to_seconds
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Note, Pitch, find_key

_KEYBOARD = 34.0  # pixels that the keyboard takes at the left
_ROW = 9.0  # pixels a semitone
_FEWEST_ROWS = 13
_WIDEST_QUARTER, _NARROWEST_QUARTER = 48.0, 14.0  # pixels: a short melody is not stretched, a long one is wrapped
_GAP = 14.0  # pixels between systems
_RULER = 13.0  # pixels for the bar numbers
_BLACK = {1, 3, 6, 8, 10}
_NARROWEST, _WIDEST = 200, 4000
_MOST_SYSTEMS = 2_000

# Light and dark colour by class; the light one is also an attribute, for renderers without style sheets.
_FILLS = {
    "paper": ("#ffffff", "#1e1d1b"),
    "dark-row": ("#f1f0ed", "#272623"),
    "white-key": ("#ffffff", "#d8d4cc"),
    "black-key": ("#3a3835", "#0d0c0b"),
    "note": ("#2f6fb0", "#6aa9e6"),
    "ink": ("#3a3835", "#d8d4cc"),
    "name": ("#ffffff", "#10100f"),
}
_STROKES = {"beat": ("#e2e0db", "#35332f"), "bar": ("#a8a49c", "#6b6861"), "key-edge": ("#bcb8b0", "#55524c")}
_CLASS = "cantilena-roll"


def piano_roll_svg(melody: Melody, *, title: str | None = None, width: int = 800) -> str:
    """Draw a melody as a piano roll, with a keyboard at the left and lines for bars and beats.

    Each pitch of each note is a `<rect class="note">` with `data-note` (its index in `melody.sounding`), `data-onset`
    and `data-end` in seconds, in order of time, so that a player's cursor can follow.

    Args:
        melody: the melody.
        title: the heading; None for none.
        width: pixels, 200 to 4,000; a long melody is wrapped into several systems, one below the other.

    Returns:
        A self-contained SVG, the same for the same melody; it follows the reader's light or dark colour scheme.

    Raises:
        UsageError: the width is out of range, or the melody too long to draw.

    Examples:
        >>> piano_roll_svg(Melody.from_pitches([(60, 24), ((62, 65), 48)])).count('class="note"')
        3
    """
    if not _NARROWEST <= width <= _WIDEST:
        raise UsageError(
            f"a piano roll must be {_NARROWEST} to {_WIDEST} pixels wide, got {width} pixels", "give another width"
        )
    return _Roll(melody, printable(title or ""), width).svg()


class _Roll:
    """Layout and elements of one drawing."""

    def __init__(self, melody: Melody, title: str, width: int) -> None:
        self.melody, self.title, self.width = melody, title, width
        self.seconds = tick_to_seconds(melody.tempo)
        self.key = melody.key or find_key(melody) or Key()
        pitches = [pitch for note in melody.sounding for pitch in note.pitches] or [60, 72]
        low, high = max(min(pitches) - 1, 0), min(max(pitches) + 1, 127)
        missing = max(_FEWEST_ROWS - (high - low + 1), 0)
        self.low = max(low - missing // 2, 0)
        self.high = min(max(high, self.low + _FEWEST_ROWS - 1), 127)
        self.low = min(self.low, self.high - _FEWEST_ROWS + 1)
        self.systems, self.per_tick = self._layout()
        self.row = _ROW if self.high - self.low < 60 else _ROW * 0.6
        self.rows_height = (self.high - self.low + 1) * self.row

    def _layout(self) -> tuple[list[tuple[int, int]], float]:
        """The (start, end) of each system in ticks, and pixels a tick."""
        room = self.width - _KEYBOARD - 1
        ticks = max(self.melody.length, self.melody.meter.ticks_per_bar)
        per_quarter = min(room * TICKS_PER_QUARTER / ticks, _WIDEST_QUARTER)
        if per_quarter >= _NARROWEST_QUARTER:
            return [(0, ticks)], per_quarter / TICKS_PER_QUARTER
        most = room * TICKS_PER_QUARTER / _NARROWEST_QUARTER
        if ticks / most > _MOST_SYSTEMS:
            raise UsageError(f"a melody of {ticks} ticks is too long to draw", "cut it, or write it as .mid")
        bar = self.melody.meter.ticks_per_bar
        first = self.melody.pickup % bar
        bars = -(-(ticks - first) // bar)
        if most_bars := int(most - first) // bar:
            # As few systems as possible, with about as many bars each.
            system = -(-bars // -(-bars // most_bars)) * bar
        else:
            first, system = 0, int(most)
        starts = [0, *range(first + system, ticks, system)]
        systems = list(pairwise((*starts, ticks)))
        return systems, room / max(end - start for start, end in systems)

    def svg(self) -> str:
        """Return the drawing."""
        top = 26.0 if self.title else 4.0
        body = []
        for (start, end), notes in zip(self.systems, self._notes_by_system(), strict=True):
            body.append(f'<g transform="translate(0 {top:g})">')
            body += [*self._rows(end - start), *self._time(start, end)]
            for index, note in notes:
                body += self._note(index, note, start, end)
            body += self._keyboard()
            body.append("</g>")
            top += self.rows_height + _RULER + _GAP
        height = round(top - _GAP + 4)
        name = self.title or printable(self.melody.title) or "Piano roll"
        head = [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="{_CLASS}" width="{self.width}" height="{height}" '
            f'viewBox="0 0 {self.width} {height}" role="img" aria-label={quoteattr("Piano roll: " + name)} '
            "font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\">",
            f"<style>{_style()}</style>",
            f'<rect class="paper" width="100%" height="100%" fill="{_FILLS["paper"][0]}"/>',
        ]
        if self.title:
            room = int(self.width / 7.5)
            text = self.title if len(self.title) <= room else self.title[: room - 1] + "…"
            head.append(_text(text, 4, 17, 14, weight=' font-weight="bold"'))
        return "\n".join([*head, *body, "</svg>", ""])

    def _y(self, pitch: int) -> float:
        """The top of a pitch's row."""
        return (self.high - pitch) * self.row

    def _rows(self, ticks: int) -> Iterator[str]:
        for pitch in range(self.low, self.high + 1):
            if pitch % 12 in _BLACK:
                yield _rect("dark-row", _KEYBOARD, self._y(pitch), ticks * self.per_tick, self.row)

    def _time(self, start: int, end: int) -> Iterator[str]:
        """Lines of beats and bars, and bar numbers."""
        meter, left = self.melody.meter, _KEYBOARD + 3
        first = self.melody.pickup % meter.ticks_per_bar
        if meter.ticks_per_beat * self.per_tick >= 4:
            for tick in _marks(first % meter.ticks_per_beat, meter.ticks_per_beat, start, end):
                yield self._line("beat", tick - start, self.rows_height)
        for tick in _marks(first, meter.ticks_per_bar, start, end):
            yield self._line("bar", tick - start, self.rows_height + 3)
            if meter.ticks_per_bar * self.per_tick >= 16:
                number = (tick - first) // meter.ticks_per_bar + 1
                yield _text(str(number), left + (tick - start) * self.per_tick, self.rows_height + _RULER - 2, 9)
        yield self._line("bar", end - start, self.rows_height)

    def _line(self, kind: str, ticks: int, height: float) -> str:
        x = f"{_KEYBOARD + ticks * self.per_tick:.1f}"
        return f'<line class="{kind}" x1="{x}" x2="{x}" y1="0" y2="{height:g}" stroke="{_STROKES[kind][0]}"/>'

    def _notes_by_system(self) -> list[list[tuple[int, Note]]]:
        """The notes that sound in each system, with their indices."""
        starts = [start for start, _ in self.systems]
        notes: list[list[tuple[int, Note]]] = [[] for _ in starts]
        for index, note in enumerate(self.melody.sounding):
            for system in range(bisect_right(starts, note.onset) - 1, bisect_left(starts, note.end)):
                notes[system].append((index, note))
        return notes

    def _note(self, index: int, note: Note, start: int, end: int) -> Iterator[str]:
        """The rectangles of one note, as far as they lie in the system."""
        onset, stop = self.seconds(note.onset), self.seconds(note.end)
        left, right = max(note.onset, start), min(note.end, end)
        x = _KEYBOARD + (left - start) * self.per_tick
        width = max((right - left) * self.per_tick - 0.8, 1.2)
        for pitch in note.pitches:
            name, y = spell_pitch(pitch, self.key).name, self._y(pitch) + 0.5
            yield (
                f'<rect class="note" data-note="{index}" data-onset="{onset:.4f}" data-end="{stop:.4f}" x="{x:.1f}" '
                f'y="{y:g}" width="{width:.1f}" height="{self.row - 1:g}" rx="2.5" fill="{_FILLS["note"][0]}">'
                f"<title>{name}, {onset:.2f}–{stop:.2f} s</title></rect>"
            )
            if width >= 4.6 * len(name) + 3 and self.row == _ROW and left == note.onset:
                yield _text(name, x + 2.5, y + self.row - 2.4, 7.5, kind="name")

    def _keyboard(self) -> Iterator[str]:
        yield _rect("white-key", 0, 0, _KEYBOARD, self.rows_height)
        for pitch in range(self.low, self.high + 1):
            if pitch % 12 in _BLACK:
                yield _rect("black-key", 0, self._y(pitch), _KEYBOARD * 0.6, self.row)
            if pitch % 12 in (4, 11) and pitch < self.high:  # between E and F, B and C two white keys meet
                y = f"{self._y(pitch):g}"
                edge = _STROKES["key-edge"][0]
                yield f'<line class="key-edge" x1="0" x2="{_KEYBOARD:g}" y1="{y}" y2="{y}" stroke="{edge}"/>'
            if pitch % 12 == 0:
                yield _text(Pitch(pitch).name, _KEYBOARD - 15, self._y(pitch) + self.row - 1.6, 8, kind="key-name")


def _marks(first: int, step: int, start: int, end: int) -> range:
    """Every `step` ticks from `first` on, those in [start, end)."""
    return range(first + max(-(-(start - first) // step), 0) * step, end, step)


def _rect(kind: str, x: float, y: float, width: float, height: float) -> str:
    fill = _FILLS[kind][0]
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:.1f}" height="{height:g}" fill="{fill}"/>'


def _text(text: str, x: float, y: float, size: float, *, kind: str = "ink", weight: str = "") -> str:
    fill = _FILLS.get(kind, _FILLS["black-key"])[0]
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{size:g}"{weight} fill="{fill}" '
        f'pointer-events="none">{escape(text)}</text>'
    )


def _style() -> str:
    """The colours of the dark scheme."""
    fills = "".join(f".{_CLASS} .{kind}{{fill:{dark}}}" for kind, (_, dark) in _FILLS.items())
    strokes = "".join(f".{_CLASS} .{kind}{{stroke:{dark}}}" for kind, (_, dark) in _STROKES.items())
    return f"@media (prefers-color-scheme:dark){{{fills}{strokes}}}"
