"""Reading MusicXML 4: scores by part and by time, plain or as archives.

Barlines are shared by all parts: a bar is as long as its longest part, and a part that is shorter keeps silence up to
the barline. Whatever is unsure is a doubt of the score.
Source: MusicXML 4.0 (W3C Community Group Report, 2021).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from cantilena.errors import ScoreError
from cantilena.io.notation.build import Doubts, one_line, part_of, to_ticks
from cantilena.io.notation.musicxml_part import (
    LYRIC,
    PHRASE,
    PUNCTUATION,
    BarMarks,
    HeadNote,
    PartBar,
    PartReader,
    Time,
    number,
)
from cantilena.io.notation.text import musicxml_text
from cantilena.io.score import NOTATION_RESOLUTION, Bar, Part, Score, begins_section
from cantilena.music import Chord, Key, Meter

_Value = TypeVar("_Value")

_MOST_UNITS = 10**15
_MOST_PARTS, _MOST_VOICES = 500, 2000
_MOST_BARS = 2_000_000  # of all parts
_EXPORT = "export it from a notation program again"


def read_musicxml(content: bytes) -> Score:
    """Read a MusicXML file.

    Args:
        content: the file's bytes, plain or as an archive (.mxl).

    Raises:
        ScoreError: it cannot be read.

    Examples:
        >>> note = "<note><pitch><step>{}</step><octave>4</octave></pitch><duration>2</duration></note>"
        >>> bar = f'<measure number="1">{note.format("C")}{note.format("E")}</measure>'
        >>> score = read_musicxml(f'<score-partwise><part id="P1">{bar}</part></score-partwise>'.encode())
        >>> score.parts[0].pitch.tolist(), score.parts[0].onset.tolist()
        ([60, 64], [0, 20160])
    """
    text = musicxml_text(content)
    try:
        root = ElementTree.fromstring(text)  # noqa: S314  (musicxml_text refuses what expands)
    except (ElementTree.ParseError, ValueError) as error:
        raise ScoreError(f"its XML is damaged: {error}", _EXPORT) from error
    if "xmlns" in text:
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    if root.tag not in ("score-partwise", "score-timewise"):
        raise ScoreError("it is not MusicXML, whatever its name says", _EXPORT)
    return _Reader(root).score()


@dataclass(slots=True)
class _PartHead:
    """A part of the part list."""

    name: str
    drums: dict[str, int] = field(default_factory=dict)


class _Reader:
    """Reads all parts, aligns their bars and collects what a score holds."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._doubts = Doubts()
        self._units = _units(root)
        self._parts: list[PartReader] = []
        self._by_bar: list[list[tuple[PartReader, PartBar]]] = []
        self._marks: list[BarMarks] = []
        self._lengths: list[Time] = []
        self._starts: list[Time] = []
        self._bar_meters: list[Meter | None] = []
        self._meter_lengths: list[Time] = []
        self._bars: list[Bar] = []

    def score(self) -> Score:
        """Return the score."""
        measures = _measures(self._root)
        if len(measures) > _MOST_PARTS:
            raise ScoreError(f"it has more than {_MOST_PARTS:,} parts", "cut it into pieces")
        count = max((len(bars) for _, bars in measures), default=0)
        self._marks = [BarMarks() for _ in range(count)]
        heads = {name: _part_head(element) for name, element in _score_parts(self._root)}
        in_order = list(heads.values())
        for place, (name, bars) in enumerate(measures):
            head = heads.get(name) or (in_order[place] if place < len(in_order) else _PartHead(""))
            reader = PartReader(head.name or name, self._units, self._marks, head.drums, self._doubts)
            reader.read(bars)
            self._parts.append(reader)
            if len(bars) != count:
                self._doubts.add(f"it has {len(bars)} of the {count} bars of the piece", voice=reader.name)
        stray = sum(len(self._root.findall(f".//{kind}")) for kind in ("pitch", "unpitched")) - sum(
            part.heads for part in self._parts
        )
        if stray > 0:
            self._doubts.add(f"{stray:,} notes outside of measures are left out", misplaces=True)
        self._by_bar = [[] for _ in range(count)]
        for part in self._parts:
            for place, reached in enumerate(part.bars):
                self._by_bar[place].append((part, reached))
        self._align()
        self._bars = self._written_bars()
        self._check_bars()
        parts, chords = tuple(self._voices()), self._chords()
        if not parts and not chords:
            raise ScoreError("it has no notes", "name a file with music in it")
        keys = self._keys()
        return Score(
            parts,
            NOTATION_RESOLUTION,
            tempos=self._tempos(),
            meters=self._meters(),
            keys=tuple((tick, key) for tick, (key, _) in sorted(keys.items())),
            keys_are_explicit=bool(keys) and all(is_explicit for _, is_explicit in keys.values()),
            pickup=self._pickup(),
            title=_title(self._root),
            lost=sum(part.lost for part in self._parts),
            chords=chords,
            bars=tuple(self._bars),
            doubts=self._doubts.kept(),
        )

    # Time

    def _ticks(self, time: Time) -> int:
        """The nearest tick of a time in units."""
        factor = self._units // NOTATION_RESOLUTION
        return int((2 * time + factor) // (2 * factor)) if factor > 1 else round(time)

    def _tick(self, bar: int, at: Time) -> int:
        """The tick of a place in a bar, inside the piece."""
        end = self._starts[-1] + self._lengths[-1]
        return self._ticks(min(max(self._starts[bar] + at, 0), end))

    def _align(self) -> None:
        """Find the length of every bar."""
        changes: dict[int, dict[int, Meter | None]] = {}
        for place, part in enumerate(self._parts):
            for bar, at, meter in part.meters:
                if at == 0:
                    changes.setdefault(bar, {})[place] = meter
        meters: dict[int, Meter | None] = {}  # by part
        lengths: dict[int, Time] = {}
        meter = None
        nominal: Time = 0
        start: Time = 0
        for bar, marks in enumerate(self._marks):
            if changes.get(bar, {}).items() - meters.items():
                meters |= changes[bar]
                lengths |= {place: self._parts[place].bar_length(meter) for place, meter in changes[bar].items()}
                self._follow(bar, changes[bar], meters, lengths)
                nominal = max(lengths.values())
                meter = next(meters[place] for place, length in lengths.items() if length == nominal)
                if min(lengths.values()) < nominal:
                    self._doubts.add("parts have meters of different lengths", marks.number, misplaces=True)
            self._bar_meters.append(meter)
            here = [reached for _, reached in self._by_bar[bar]]
            rests = {one.whole_rest for one in here if one.whole_rest}
            longest = max(one.reached for one in here)
            is_irregular = marks.is_implicit or bar == 0
            if not is_irregular and nominal in rests:
                longest = max(longest, nominal)
            elif not longest and rests:
                # Many exporters give every empty bar the length of a whole note.
                is_agreed = len(rests) == 1 < len(here) and 4 * self._units not in rests
                if not nominal or is_agreed or (is_irregular and min(rests) < nominal):
                    longest = min(rests)
            length = longest or nominal
            if nominal and self._is_near(length, nominal):
                length = nominal
            self._starts.append(start)
            self._lengths.append(length)
            self._meter_lengths.append(nominal)
            start += length
        to_ticks(Fraction(start) / self._units)

    def _follow(
        self, bar: int, stated: dict[int, Meter | None], meters: dict[int, Meter | None], lengths: dict[int, Time]
    ) -> None:
        """Give a meter that begins in some parts to those that do not state it and have bars of its length."""
        place = min(stated)
        for other in meters.keys() - stated.keys():
            bars = self._parts[other].bars
            if bar < len(bars) and self._is_near(bars[bar].reached, lengths[place]):
                meters[other], lengths[other] = meters[place], lengths[place]

    def _is_near(self, time: Time, other: Time) -> bool:
        """Whether times differ by less than a 128th note, as where exporters round the durations of tuplets."""
        return -self._units < (time - other) * 32 < self._units

    def _pickup(self) -> int:
        is_short = len(self._bars) > 1 and 0 < self._lengths[0] < self._meter_lengths[0]
        return self._ticks(self._lengths[0]) if is_short else 0

    # Bars

    def _written_bars(self) -> list[Bar]:
        marks = self._marks
        for part in self._parts:
            for bar, at, mark in part.begins:
                is_behind = 0 < self._lengths[bar] <= at and bar + 1 < len(marks)
                marks[bar + is_behind].begins = mark
        signs = [one for one in marks if one.coda_sign and one.jump != "tocoda" and one.begins != "coda"]
        has_jump = any(one.jump == "tocoda" for one in marks)
        for place, one in enumerate(signs):
            if place == len(signs) - 1 and (has_jump or place):
                one.begins = "coda"
            elif not has_jump:
                one.jump = one.jump or "tocoda"
        bars: list[Bar] = []
        ending: tuple[int, ...] = ()
        for place, one in enumerate(marks):
            ending = one.ending or ending
            start = self._starts[place]
            bars.append(
                Bar(
                    self._ticks(start),
                    self._ticks(start + self._lengths[place]),
                    one.number or str(place + 1),
                    opens_repeat=one.opens,
                    closes_repeat=one.closes,
                    endings=ending,
                    ends_section=one.ends_section,
                    begins=one.begins,
                    jump=one.jump,
                )
            )
            if one.ending_stops or one.closes or one.ends_section:
                ending = ()
        return bars

    def _begins_section(self, place: int) -> bool:
        return place in (0, len(self._bars)) or begins_section(self._bars[place - 1], self._bars[place])

    def _check_bars(self) -> None:
        """Doubt parts that do not meet at a barline, and bars of a length that their meter does not explain."""
        for place, (length, nominal) in enumerate(zip(self._lengths, self._meter_lengths, strict=True)):
            bar, agreeing = self._bars[place].number, 0
            for part, one in self._by_bar[place]:
                ends = (*one.by_staff.values(), one.whole_rest)
                agreeing += sum(self._is_near(end, length) for end in ends)
                reached = one.reached
                if reached and not self._is_near(reached, length):
                    text = f"its bar ends after {self._quarters(reached)} of {self._quarters(length)} quarters"
                    self._doubts.add(text, bar, part.name, misplaces=True)
            if not nominal or length == nominal or self._marks[place].is_implicit or agreeing > 1:
                continue
            neighbors = [self._lengths[other] for other in (place - 1, place + 1) if 0 <= other < len(self._lengths)]
            is_at_edge = self._begins_section(place) or self._begins_section(place + 1)
            if length > nominal or not (is_at_edge or nominal - length in neighbors):
                text = f"the bar has {self._quarters(length)} quarters, and its meter {self._quarters(nominal)}"
                self._doubts.add(text, bar, misplaces=True)

    def _quarters(self, time: Time) -> str:
        return f"{float(Fraction(time) / self._units):.4g}"

    # Notes

    def _voices(self) -> Iterator[Part]:
        track = 0
        voices = 0
        for part in self._parts:
            notes = self._joined(part)
            for bar, at, last in part.slurs:
                if last.end - self._tick(bar, at) >= self._ticks(self._meter_lengths[bar] or 4 * self._units):
                    last.marks |= PHRASE
            by_voice: dict[tuple[str, int, bool], list[HeadNote]] = {}
            for note in notes:
                staff = note.staff if note.voice in part.shared_voices else 0
                by_voice.setdefault((note.voice, staff, note.is_drum), []).append(note)
            voices += len(by_voice)
            if voices > _MOST_VOICES:
                raise ScoreError(f"it has more than {_MOST_VOICES:,} voices", "cut it into pieces")
            barline_ends = {self._bars[bar].end for bar in part.fermata_bars}
            staves = {key: Counter(note.staff for note in one).most_common(1)[0][0] for key, one in by_voice.items()}
            for key in sorted(by_voice, key=lambda key: (staves[key], len(key[0]), key)):
                ends = _phrase_ends(by_voice[key]) | barline_ends & {note.end for note in by_voice[key]}
                columns = [(int(note.onset), int(note.end), note.pitch) for note in by_voice[key]]
                built = part_of(columns, part.name, track + min(max(staves[key], 1), part.staves) - 1, ends)
                yield replace(built, is_drums=True) if key[2] else built
            track += part.staves

    def _joined(self, part: PartReader) -> list[HeadNote]:
        """The notes of a part in order of onset, in ticks of the score, tied ones as one note.

        A tie leads to a note of the same pitch that begins where it ends, in its own voice if there is one.
        """
        for note in part.notes:
            length = self._lengths[note.bar]
            is_last = note.end == part.bars[note.bar].reached or note.ties[1]
            if is_last and self._is_near(note.end, length):
                note.end = length
            start = self._starts[note.bar]
            note.onset, note.end = self._ticks(start + note.onset), self._ticks(start + note.end)
        silent = {(pitch, self._tick(bar, at)) for bar, at, pitch in part.silent_ties}
        kept: list[HeadNote] = []
        heads: dict[int, HeadNote] = {}  # the first of the tied notes that a note belongs to
        open_ties: dict[tuple[int, Time], list[HeadNote]] = {}
        for note in sorted(part.notes, key=lambda note: note.onset):
            stops, starts = note.ties
            head = note
            if stops:
                waiting = open_ties.get((note.pitch, note.onset), [])
                if waiting:
                    same = [place for place, one in enumerate(waiting[:16]) if one.voice == note.voice]
                    head = waiting.pop(same[0] if same else -1)
                    head.end, head.marks = note.end, head.marks | note.marks
                    heads[id(note)] = head
                elif not self._begins_section(note.bar) and (note.pitch, note.onset) not in silent:
                    self._doubts.add("a tie begins nowhere", self._bars[note.bar].number, part.name)
            if head is note:
                kept.append(note)
            if starts:
                open_ties.setdefault((note.pitch, head.end), []).append(head)
        for (pitch, end), waiting in open_ties.items():
            for note in waiting if (pitch, end) not in silent else ():
                place = note.bar
                while place + 1 < len(self._bars) and self._bars[place].end < end:
                    place += 1
                if not (self._begins_section(place + 1) and self._bars[place].end == end):
                    self._doubts.add("a tie does not end", self._bars[place].number, part.name)
        part.slurs = [(bar, at, heads.get(id(last), last)) for bar, at, last in part.slurs]
        return kept

    # What the parts share

    def _meters(self) -> tuple[tuple[int, Meter], ...]:
        found = {self._tick(bar, 0): meter for bar, meter in enumerate(self._bar_meters) if meter is not None}
        for part in reversed(self._parts):
            found |= {self._tick(bar, at): meter for bar, at, meter in part.meters if meter is not None and at}
        return _changes(found)

    def _tempos(self) -> tuple[tuple[int, float], ...]:
        found = {0: 120.0}
        for part in reversed(self._parts):
            found |= {self._tick(bar, at): rate for bar, at, rate in part.tempos}
        return _changes(found)

    def _keys(self) -> dict[int, tuple[Key, bool]]:
        """The keys as they sound: of a part that does not transpose, if there is one."""
        with_keys = [part for part in self._parts if part.keys]
        pitched = [part for part in with_keys if any(not note.is_drum for note in part.notes)] or with_keys
        parts = [part for part in pitched if not part.is_transposed] or pitched
        keys = parts[0].keys if parts else []
        return dict(_changes({self._tick(bar, at): (key, is_explicit) for bar, at, key, is_explicit in keys}))

    def _chords(self) -> tuple[tuple[int, Chord], ...]:
        found: dict[int, Chord] = {}
        for part in reversed(self._parts):
            found |= {self._tick(bar, at): chord for bar, at, chord in part.chords}
        return tuple(sorted(found.items(), key=lambda pair: pair[0]))


def _changes(found: dict[int, _Value]) -> tuple[tuple[int, _Value], ...]:
    """Values by tick without those that repeat the one before."""
    kept: list[tuple[int, _Value]] = []
    for tick in sorted(found):
        if not kept or kept[-1][1] != found[tick]:
            kept.append((tick, found[tick]))
    return tuple(kept)


def _phrase_ends(notes: list[HeadNote]) -> set[int]:
    """Ends of the notes of a voice that end phrases; a syllable lasts until the next one or a rest."""
    ends: set[int] = set()
    syllable_end: int | None = None
    for note in notes:
        onset, end = int(note.onset), int(note.end)
        if syllable_end is not None:
            if note.marks & LYRIC or onset > syllable_end:
                ends.add(syllable_end)
                syllable_end = None
            else:
                syllable_end = max(syllable_end, end)
        if note.marks & PHRASE:
            ends.add(end)
        if note.marks & PUNCTUATION:
            syllable_end = end
    return ends if syllable_end is None else ends | {syllable_end}


def _units(root: Element) -> int:
    """Units a quarter note that all divisions and ticks are multiples of."""
    values = (number(element.text) for element in root.iter("divisions"))
    units = NOTATION_RESOLUTION
    for value in {value for value in values if value is not None and value > 0}:
        units = math.lcm(units, Fraction(value).numerator)
        if units > _MOST_UNITS:
            raise ScoreError("its divisions of a quarter note have no common measure", _EXPORT)
    return units


def _measures(root: Element) -> list[tuple[str, Sequence[Element | None]]]:
    """The measures of each part with its id; None where a score by time lacks a part."""
    if root.tag == "score-partwise":
        return [(part.get("id", ""), part.findall("measure")) for part in root.findall("part")]
    by_part: dict[str, list[Element | None]] = {name: [] for name, _ in _score_parts(root)}
    total = 0
    for place, measure in enumerate(root.findall("measure")):
        for part in measure.findall("part"):
            bars = by_part.setdefault(part.get("id", ""), [])
            total += place + 1 - len(bars)
            if total > _MOST_BARS:
                raise ScoreError(f"it has more than {_MOST_BARS:,} bars", "cut it into pieces")
            bars += [None] * (place - len(bars))
            if len(bars) == place:
                part.attrib.update(measure.attrib)
                bars.append(part)
    return [(name, bars) for name, bars in by_part.items() if bars]


def _score_parts(root: Element) -> Iterator[tuple[str, Element]]:
    for element in root.iterfind("part-list/score-part"):
        yield element.get("id", ""), element


def _part_head(element: Element) -> _PartHead:
    name = element.findtext("part-name") or element.findtext("score-instrument/instrument-name") or ""
    drums: dict[str, int] = {}
    for instrument in element.findall("midi-instrument"):
        key = number(instrument.findtext("midi-unpitched"))
        if key is not None and 1 <= key <= 128:
            drums[instrument.get("id", "")] = int(key) - 1
    return _PartHead(one_line(name), drums)


def _title(root: Element) -> str:
    """The work's title with that of the movement, or else the largest text of the first page."""
    work, movement = (one_line(root.findtext(path) or "") for path in ("work/work-title", "movement-title"))
    if work and movement:
        longer = max(work, movement, key=len)
        return longer if work in longer and movement in longer else one_line(f"{work}: {movement}")
    if work or movement:
        return work or movement
    page = [one for one in root.findall("credit") if one.get("page", "1") == "1"]
    titles = [one for one in page if (one.findtext("credit-type") or "").strip() == "title"] or page
    words = [word for one in titles for word in one.findall("credit-words") if (word.text or "").strip()]
    if not words:
        return ""
    return one_line(max(words, key=lambda word: float(number(word.get("font-size")) or 0)).text or "")
