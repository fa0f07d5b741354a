"""Reading one part of a MusicXML score bar by bar, before the bars of all parts are aligned.

Times are exact: integers (rarely fractions) in units that every `<divisions>` of the score divides, from the start of
the bar. A pitch is as written until the part's `<transpose>` is added; `<octave-shift>` and octave clefs only change
how it is drawn.
Source: MusicXML 4.0 (W3C Community Group Report, 2021), elements `<note>`, `<attributes>`, `<direction>`, `<barline>`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from xml.etree.ElementTree import Element

from cantilena.errors import ScoreError, UsageError
from cantilena.io.notation.build import MOST_NOTES, Doubts
from cantilena.io.notation.musicxml_harmony import chord_of
from cantilena.music import MODE_NAMES, NATURALS, Chord, Key, Meter

Time = int | Fraction
"""A time in units."""

PHRASE, LYRIC, PUNCTUATION = 1, 2, 4
"""Marks of a note: a phrase ends with it, it has a syllable, its syllable ends with punctuation."""

_QUARTERS: dict[str, Fraction] = {
    "maxima": Fraction(32), "long": Fraction(16), "breve": Fraction(8), "whole": Fraction(4), "half": Fraction(2),
    "quarter": Fraction(1), "eighth": Fraction(1, 2), "16th": Fraction(1, 4), "32nd": Fraction(1, 8),
    "64th": Fraction(1, 16), "128th": Fraction(1, 32), "256th": Fraction(1, 64), "512th": Fraction(1, 128),
    "1024th": Fraction(1, 256),
}  # fmt: skip
_SNARE = 38  # of an instrument without a key in MIDI
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})\Z", re.ASCII)
_ENDS_SENTENCE = re.compile(r"[.,;:!?…—–。、，！？；：][\s\"'»”’)\]」』]*\Z")
_SECTION_STYLES = ("light-light", "light-heavy", "heavy-light", "heavy-heavy", "heavy")
_JUMPS = ("dacapo", "dalsegno", "tocoda", "fine")
_JUMP_WORDS = (
    ("dacapo", re.compile(r"\bd\.\s?c\.|\bda\s+capo\b|\bD\.?C\.?\s+al\b", re.IGNORECASE)),
    ("dalsegno", re.compile(r"\bd\.\s?s\.|\bdal\s+segno\b|\bD\.?S\.?\s+al\b", re.IGNORECASE)),
    ("tocoda", re.compile(r"\bto\s+coda\b", re.IGNORECASE)),
    ("fine", re.compile(r"\s*fine\.?\s*\Z", re.IGNORECASE)),
)


@dataclass(slots=True)
class HeadNote:
    """A note head that sounds; times in units from the start of its bar.

    Args:
        bar: index of its bar.
        onset: where it begins.
        end: where it ends.
        pitch: MIDI number as sounding.
        voice: `<voice>` of its part.
        staff: `<staff>` of its part, from 1.
        marks: sum of `PHRASE`, `LYRIC` and `PUNCTUATION`.
        ties: whether a tie ends and whether one begins at it.
        is_drum: whether its pitch names an instrument of percussion.
    """

    bar: int
    onset: Time
    end: Time
    pitch: int
    voice: str
    staff: int
    marks: int = 0
    ties: tuple[bool, bool] = (False, False)
    is_drum: bool = False


@dataclass(slots=True)
class BarMarks:
    """What stands at the barlines of one bar, in any part.

    Args:
        number: as printed.
        is_implicit: whether it is not counted, as a pickup or half of a split bar.
        opens: whether a repeat begins.
        closes: times that the passage is played, or 0.
        ends_section: whether a double or final barline closes it.
        ending: numbers of the ending that starts here.
        ending_stops: whether an ending ends here.
        begins: `segno`, `coda` or "".
        jump: as `Bar.jump`.
        coda_sign: whether a coda sign stands in it that no sound explains.
    """

    number: str = ""
    is_implicit: bool = False
    opens: bool = False
    closes: int = 0
    ends_section: bool = False
    ending: tuple[int, ...] = ()
    ending_stops: bool = False
    begins: str = ""
    jump: str = ""
    coda_sign: bool = False


@dataclass(slots=True)
class PartBar:
    """How far the music of a part reaches in a bar, in units.

    Args:
        reached: the latest end of its notes, rests and gaps, without rests of a whole bar.
        by_staff: the same by staff.
        whole_rest: the longest rest of a whole bar; exporters often give it the length of a whole note.
    """

    reached: Time = 0
    by_staff: dict[int, Time] = field(default_factory=dict)
    whole_rest: Time = 0


def number(text: str | None) -> Time | None:
    """Return a decimal number of bounded size, or None where there is none."""
    if text is None:
        return None
    if len(text) <= 12:
        try:
            return int(text)
        except ValueError:
            pass
    return Fraction(text.strip()) if _NUMBER.match(text.strip()[:30]) else None


class PartReader:
    """Reads the measures of one part; what it found is in its attributes.

    Args:
        name: the part's name, for doubts.
        units: units a quarter note.
        marks: one a bar of the score, filled by all parts.
        drums: MIDI numbers of percussion by id of instrument.
        doubts: where doubts are added.
    """

    def __init__(self, name: str, units: int, marks: list[BarMarks], drums: dict[str, int], doubts: Doubts) -> None:
        self.name, self.units, self.marks, self.drums, self.doubts = name, units, marks, drums, doubts
        self.notes: list[HeadNote] = []
        self.bars: list[PartBar] = []
        self.lost = self.heads = 0
        self.staves = 1
        self.shared_voices: set[str] = set()  # numbers that several staves use for voices of their own
        self.meters: list[tuple[int, Time, Meter | None]] = []
        self.keys: list[tuple[int, Time, Key, bool]] = []
        self.tempos: list[tuple[int, Time, float]] = []
        self.chords: list[tuple[int, Time, Chord]] = []
        self.slurs: list[tuple[int, Time, HeadNote]] = []  # start, and the note that it ends with
        self.begins: list[tuple[int, Time, str]] = []  # segno and coda
        self.silent_ties: set[tuple[int, Time, int]] = set()  # where tied grace and cue notes stand, and their pitches
        self.fermata_bars: list[int] = []
        self.is_transposed = False
        self._scale: Time = units  # units a division
        self._transpose: dict[int, Time] = {}
        self._microtones = 0
        self._open_slurs: dict[tuple[str, str], tuple[int, Time]] = {}
        self._repeating: dict[int, int] = {}  # staff -> bars that are repeated
        self._slashes = False
        self._told: set[str] = set()
        self._bar = -1
        self._now: Time = 0
        self._chord_onset: Time = 0
        self._voice_ends: dict[str, tuple[Time, int]] = {}
        self._handlers: dict[str, Callable[[Element], None]] = {
            "note": self._note, "backup": self._backup, "forward": self._forward, "attributes": self._attributes,
            "direction": self._direction, "sound": self._sound, "harmony": self._harmony, "barline": self._barline,
        }  # fmt: skip

    def read(self, measures: Sequence[Element | None]) -> None:
        """Read all measures; None is a bar that the part does not have."""
        first_of_bar: list[int] = []
        for measure in measures:
            self._bar += 1
            self._now = self._chord_onset = 0
            self._voice_ends.clear()
            self.bars.append(PartBar())
            first_of_bar.append(len(self.notes))
            if measure is None:
                continue
            marks = self.marks[self._bar]
            marks.number = marks.number or measure.get("number", "").strip()[:20]
            marks.is_implicit |= measure.get("implicit") == "yes"
            for child in measure:
                if handler := self._handlers.get(child.tag):
                    handler(child)
            self._repeat_bars(first_of_bar)
            if len(self.notes) > MOST_NOTES:
                raise ScoreError(f"it has more than {MOST_NOTES:,} notes", "cut it into pieces")
        if self._microtones:
            self.doubts.add(f"{self._microtones:,} notes between semitones are rounded down", voice=self.name)

    def _doubt(self, text: str, *, once: bool = False, misplaces: bool = False, is_chord: bool = False) -> None:
        if not once or text not in self._told:
            self._told.add(text)
            self.doubts.add(text, self.marks[self._bar].number, self.name, misplaces=misplaces, is_chord=is_chord)

    def _units(self, text: str | None) -> Time | None:
        value = number(text)
        return None if value is None else value * self._scale

    # Notes

    def _note(self, element: Element) -> None:
        children = {child.tag: child for child in element}
        pitch, unpitched = children.get("pitch"), children.get("unpitched")
        sounds = pitch is not None or unpitched is not None
        self.heads += sounds
        voice = (children["voice"].text or "").strip()[:40] if "voice" in children else "1"
        staff = int(number(children["staff"].text) or 1) if "staff" in children else 1
        duration = Fraction(0) if "grace" in children else self._duration(children, element)
        onset = self._chord_onset if "chord" in children else self._now
        end = onset + duration
        if "chord" not in children:
            self._chord_onset, self._now = onset, end
        note = HeadNote(self._bar, onset, end, 0, voice, staff)
        if "grace" not in children:
            self._reach(end, staff, children.get("rest"))
        if sounds and ("grace" in children or "cue" in children or not duration):
            self.lost += 1
            if pitch is not None and "tie" in children and (written := self._pitch(pitch, staff)) is not None:
                self.silent_ties.add((self._bar, end, written))
        elif sounds:
            found = self._pitch(pitch, staff) if pitch is not None else self._drum(children.get("instrument"))
            if found is None:
                self.lost += 1
                self._doubt("a note without a pitch is left out")
                return
            note.pitch, note.is_drum = found, pitch is None
            if "tie" in children or "notations" in children:
                note.ties = _ties(element, "tie" in children)
            if "lyric" in children:
                note.marks |= _lyric_marks(element)
            self._place(note)
        if "notations" in children:
            self._notations(element, note)

    def _place(self, note: HeadNote) -> None:
        last_end, last_staff = self._voice_ends.get(note.voice, (0, note.staff))
        if note.onset < last_end and note.staff != last_staff:
            self.shared_voices.add(note.voice)
        self._voice_ends[note.voice] = max(last_end, note.end), note.staff
        self.staves = max(self.staves, min(note.staff, 100))
        self.notes.append(note)

    def _reach(self, end: Time, staff: int, rest: Element | None) -> None:
        bar = self.bars[-1]
        if rest is not None and rest.get("measure") == "yes":
            bar.whole_rest = max(bar.whole_rest, end)
            return
        bar.reached = max(bar.reached, end)
        bar.by_staff[staff] = max(bar.by_staff.get(staff, 0), end)

    def _duration(self, children: dict[str, Element], element: Element) -> Time:
        duration = self._units(children["duration"].text) if "duration" in children else None
        if duration is None and "type" in children:
            kind = _QUARTERS.get((children["type"].text or "").strip())
            if kind is not None:
                dots = min(sum(child.tag == "dot" for child in element), 8)
                duration = kind * (2 - Fraction(1, 2**dots)) * self.units
                actual, normal = (
                    number(element.findtext(f"time-modification/{name}-notes")) for name in ("actual", "normal")
                )
                if actual and normal and actual > 0 and normal > 0:
                    duration = duration * normal / actual
        if duration is None and "rest" in children and children["rest"].get("measure") == "yes":
            duration = self.bar_length(self.meters[-1][2]) if self.meters else 0
        if duration is None or duration < 0:
            self._doubt("a note does not say how long it lasts", misplaces=True)
            return 0
        return duration

    def bar_length(self, meter: Meter | None) -> Time:
        """Units of a bar in a meter; 0 without one."""
        if meter is None:
            return 0
        length = Fraction(meter.numerator * 4 * self.units, meter.denominator)
        return length.numerator if length.denominator == 1 else length

    def _pitch(self, pitch: Element, staff: int) -> int | None:
        values = {child.tag: child.text for child in pitch}
        step = NATURALS.get((values.get("step") or "").strip().upper())
        octave, alter = number(values.get("octave")), number(values.get("alter") or "0")
        if step is None or octave is None or alter is None or not -2 <= octave <= 11 or not -12 <= alter <= 12:
            return None
        sounding = 12 * (octave + 1) + step + alter + self._transpose.get(staff, self._transpose.get(0, 0))
        rounded = math.floor(sounding)
        self._microtones += rounded != sounding
        return rounded

    def _drum(self, instrument: Element | None) -> int:
        default = next(iter(self.drums.values()), _SNARE)
        return default if instrument is None else self.drums.get(instrument.get("id", ""), default)

    def _notations(self, element: Element, note: HeadNote) -> None:
        slurs: list[Element] = []
        for notations in element.findall("notations"):
            for mark in notations:
                if mark.tag == "slur":
                    slurs.append(mark)
                elif mark.tag == "fermata" or (
                    mark.tag == "articulations" and any(child.tag in ("breath-mark", "caesura") for child in mark)
                ):
                    note.marks |= PHRASE
        # A note may end one slur and begin the next one of the same number.
        for slur in sorted(slurs, key=lambda slur: slur.get("type") == "start"):
            place = (note.voice, slur.get("number", "1"))
            if slur.get("type") == "start":
                self._open_slurs[place] = (note.bar, note.onset)
            elif slur.get("type") == "stop" and (start := self._open_slurs.pop(place, None)):
                self.slurs.append((*start, note))

    def _backup(self, element: Element) -> None:
        self._move(-1, element)

    def _forward(self, element: Element) -> None:
        self._move(1, element)
        self._reach(self._now, int(number(element.findtext("staff")) or 0), None)

    def _move(self, sign: int, element: Element) -> None:
        duration = self._units(element.findtext("duration"))
        if duration is None or duration < 0:
            self._doubt(f"a <{element.tag}> does not say how far", misplaces=True)
            return
        self._now += sign * duration
        if self._now < 0:
            if self._now * 32 <= -self.units:  # less is a rounded tuplet
                self._doubt("a voice begins before its bar", misplaces=True)
            self._now = 0
        self._chord_onset = self._now

    # Attributes

    def _attributes(self, element: Element) -> None:
        divisions = element.find("divisions")
        if divisions is not None:
            value = number(divisions.text)
            if value is None or value <= 0:
                self._doubt("the divisions of a quarter note are not a number", misplaces=True)
            else:
                self._scale = self.units // value if self.units % value == 0 else Fraction(self.units) / value
        self.staves = max(self.staves, min(int(number(element.findtext("staves")) or 1), 100))
        for transpose in element.findall("transpose"):
            chromatic, octaves = (number(transpose.findtext(name) or "0") for name in ("chromatic", "octave-change"))
            staff = int(number(transpose.get("number")) or 0)
            if staff == 0:
                self._transpose.clear()
            self._transpose[staff] = (chromatic or 0) + 12 * (octaves or 0)
            self.is_transposed |= self._transpose[staff] % 12 != 0
            if transpose.find("double") is not None:
                self._doubt("its doubling an octave apart is left out", once=True)
        for key in element.findall("key"):
            if number(key.get("number", "1")) == 1:
                self._key(key)
        if times := element.findall("time"):
            self._time(min(times, key=lambda time: number(time.get("number")) or 0))
        for style in element.findall("measure-style"):
            self._measure_style(style)

    def _key(self, key: Element) -> None:
        fifths = number(key.findtext("fifths"))
        if fifths is None or fifths != int(fifths) or not -14 <= fifths <= 14:
            self._doubt("a key signature is not in fifths and is left out", once=True)
            return
        name = (key.findtext("mode") or "").strip().lower()
        if name not in ("", "none", *MODE_NAMES):
            self._doubt(f"the mode '{name[:20]}' is not known", once=True)
        plain = Key(0, MODE_NAMES.get(name, "major")).plain
        shift = math.floor(self._transpose.get(1, self._transpose.get(0, 0)))
        self.keys.append((self._bar, self._now, plain.transposed(int(fifths) * 7 + shift), name in MODE_NAMES))

    def _time(self, time: Element) -> None:
        if time.find("senza-misura") is not None:
            self.meters.append((self._bar, self._now, None))
            return
        beats = [
            [int(number(term) or 0) for term in (child.text or "").split("+")[:64]] for child in time.findall("beats")
        ]
        units = [int(number(child.text) or 0) for child in time.findall("beat-type")]
        try:
            denominator = max(units, default=0)
            whole_notes = sum(
                (Fraction(sum(terms), unit) for terms, unit in zip(beats, units, strict=True)), Fraction()
            )
            meter = Meter(int(whole_notes * denominator), denominator)
        except (ValueError, ZeroDivisionError, UsageError):
            self._doubt("a time signature is not known and is left out")
            return
        self.meters.append((self._bar, self._now, meter))

    def _measure_style(self, style: Element) -> None:
        for child in style:
            is_start = child.get("type") != "stop"
            if child.tag == "measure-repeat":
                staff = int(number(style.get("number")) or 0)
                self._repeating[staff] = int(number(child.text) or 1) if is_start else 0
            elif child.tag in ("slash", "beat-repeat"):
                self._slashes = is_start

    def _repeat_bars(self, first_of_bar: list[int]) -> None:
        """Write out a bar with the sign that repeats the bars before it."""
        here = self.notes[first_of_bar[-1] :]
        if self._slashes and not here:
            self._doubt("slashes stand for notes that the file does not write out")
        for staff, bars in self._repeating.items():
            if not bars or any(staff in (0, note.staff) for note in here):
                continue
            source = self._bar - bars
            if not 0 <= source < self._bar:
                self._doubt("a sign repeats bars that are missing")
                continue
            for note in self.notes[first_of_bar[source] : first_of_bar[source + 1]]:
                if staff in (0, note.staff):
                    self.notes.append(replace(note, bar=self._bar, marks=0))
                    self._reach(note.end, note.staff, None)
            self.bars[-1].reached = max(self.bars[-1].reached, self.bars[source].reached)

    # Directions

    def _direction(self, element: Element) -> None:
        offset = element.find("offset")
        # By default an offset moves what is drawn, and not what sounds.
        shift = self._units(offset.text) if offset is not None and offset.get("sound") == "yes" else None
        sound = element.find("sound")
        if sound is not None:
            self._sound(sound, shift)
        jumps = sound is not None and any(sound.get(name) for name in (*_JUMPS, "segno", "coda"))
        for kind in element.findall("direction-type"):
            for mark in kind:
                if mark.tag == "metronome" and (sound is None or sound.get("tempo") is None):
                    self._metronome(mark, shift)
                elif mark.tag == "segno" and not jumps:
                    self.begins.append((self._bar, self._now, "segno"))
                elif mark.tag == "coda" and not jumps:
                    self.marks[self._bar].coda_sign = True
                elif mark.tag == "words" and not jumps:
                    self._words(mark.text or "")

    def _words(self, text: str) -> None:
        for jump, pattern in _JUMP_WORDS:
            if pattern.search(text[:100]) if jump != "fine" else pattern.match(text[:100]):
                self._jump(jump)
                return
        if text.strip().lower() == "coda":
            self.marks[self._bar].coda_sign = True

    def _jump(self, jump: str) -> None:
        marks = self.marks[self._bar]
        if not marks.jump or _JUMPS.index(jump) < _JUMPS.index(marks.jump):
            marks.jump = jump

    def _sound(self, sound: Element, shift: Time | None = None) -> None:
        own_shift = self._units(sound.findtext("offset"))
        tempo = number(sound.get("tempo"))
        if tempo is not None and tempo > 0:
            self.tempos.append((self._bar, self._now + (own_shift or shift or 0), float(tempo)))
        for jump in _JUMPS:
            if sound.get(jump, "no") not in ("no", ""):
                self._jump(jump)
        for mark in ("segno", "coda"):
            if sound.get(mark):
                self.begins.append((self._bar, self._now, mark))

    def _metronome(self, mark: Element, shift: Time | None) -> None:
        units = [_QUARTERS.get((unit.text or "").strip()) for unit in mark.findall("beat-unit")]
        found = re.search(r"[0-9]{1,4}(?:[.,][0-9]{1,6})?", mark.findtext("per-minute") or "")
        if len(units) != 1 or units[0] is None or found is None or not float(found[0].replace(",", ".")):
            self._doubt("a tempo in terms of the one before is left out")
            return
        dots = min(len(mark.findall("beat-unit-dot")), 8)
        quarters = units[0] * (2 - Fraction(1, 2**dots))
        rate = float(Fraction(found[0].replace(",", ".")) * quarters)
        self.tempos.append((self._bar, self._now + (shift or 0), rate))

    def _harmony(self, element: Element) -> None:
        chord = chord_of(element)
        if isinstance(chord, str):
            self._doubt(chord, once=True, is_chord=True)
            return
        shift = math.floor(self._transpose.get(0, self._transpose.get(1, 0)))
        at = self._now + (self._units(element.findtext("offset")) or 0)
        self.chords.append((self._bar, at, chord.transposed(shift)))

    # Barlines

    def _barline(self, element: Element) -> None:
        location = element.get("location", "right")
        if location == "middle":
            return
        is_left = location == "left"
        if element.find("fermata") is not None and not is_left:
            self.fermata_bars.append(self._bar)
        repeat = element.find("repeat")
        if repeat is None:
            if (element.findtext("bar-style") or "").strip() in _SECTION_STYLES:
                self._neighbor(-is_left).ends_section = True
        elif repeat.get("direction") == "forward":
            self._neighbor(int(not is_left)).opens = True
        elif repeat.get("direction") == "backward":
            times = number(repeat.get("times")) or 2
            self._neighbor(-is_left).closes = min(max(int(times), 2), 100)
        for sign in ("segno", "coda"):
            if element.get(sign) or element.find(sign) is not None:
                self._neighbor(int(not is_left)).begins = sign
        for ending in element.findall("ending"):
            if ending.get("type") == "start":
                self._neighbor(int(not is_left)).ending = tuple(_ending_numbers(ending))
            else:
                self._neighbor(-is_left).ending_stops = True

    def _neighbor(self, shift: int) -> BarMarks:
        """The marks of this bar or the one next to it; what lies outside the piece is dropped."""
        place = self._bar + shift
        return self.marks[place] if 0 <= place < len(self.marks) else BarMarks()


def _ties(element: Element, has_tie: bool) -> tuple[bool, bool]:
    """Whether a tie ends and whether one begins: by what sounds (`tie`), else by what is drawn (`tied`)."""
    kinds = {tie.get("type") for tie in element.iterfind("tie" if has_tie else "notations/tied")}
    return bool(kinds & {"stop", "continue"}), bool(kinds & {"start", "continue"})


def _lyric_marks(element: Element) -> int:
    """The marks of a note with lyrics; punctuation counts in the first verse."""
    marks = LYRIC
    for lyric in element.findall("lyric"):
        if lyric.get("number", "1") != "1":
            continue
        if lyric.find("end-line") is not None or lyric.find("end-paragraph") is not None:
            marks |= PUNCTUATION
        *_, syllabic = ["single", *(child.text or "" for child in lyric if child.tag == "syllabic")]
        text = "".join(child.text or "" for child in lyric if child.tag == "text")
        if syllabic.strip() in ("single", "end") and _ENDS_SENTENCE.search(text[-20:]):
            marks |= PUNCTUATION
    return marks


def _ending_numbers(ending: Element) -> Iterator[int]:
    """The numbers of an ending such as `1, 2` or `1-3`; 1 if it has none."""
    found = re.findall(r"([0-9]{1,2})(?:\s*-\s*([0-9]{1,2}))?", ending.get("number", "")[:100])
    for first, last in found:
        yield from range(int(first), max(int(last or first), int(first)) + 1)
    if not found:
        yield 1
