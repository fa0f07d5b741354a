"""The music of a tune in ABC: notes, rests, chords, tuplets, ties and barlines of a voice.

Every character of a line of music belongs to a token, and what means nothing is counted.
Source: The ABC Music Standard 2.1, 4 "The tune body" and 7.4 "Voice overlay".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction

from cantilena.errors import ScoreError
from cantilena.io.notation.abc_bars import Bars, Time
from cantilena.io.notation.abc_fields import KeyField, Properties, Signature
from cantilena.io.notation.build import MOST_NOTES, MOST_QUARTERS, Doubts
from cantilena.io.score import NOTATION_RESOLUTION
from cantilena.music import NATURALS, Key, Meter

_WHOLE = 4 * NOTATION_RESOLUTION
_LONGEST = MOST_QUARTERS * NOTATION_RESOLUTION
_LENGTH = r"([0-9/]*(?:[ \t]{1,4}[0-9/]+)*)"
_ACCIDENTAL = r"(?:([\^_=]{1,3}(?:[0-9]{1,3}/[0-9]{1,3}|/[0-9]{0,3}|[0-9]{1,3})?)[ \t]?)?"
_OLD_LINE = r"(?!f{1,4}!)[A-Ga-gxz][A-Ga-gxz0-9/,'^_=(){}<>~ -]{0,30}"
"""Notes between two of the signs that ended lines in ABC 1.6, where 2.1 has a decoration."""

_TOKEN = re.compile(
    rf"""(?P<note>{_ACCIDENTAL}([A-Ga-g])([',]*){_LENGTH}(-?))
    |(?P<bar>(\.?(?:[|:\]]|\[(?=[|\]:]))+)(?:[ \t]{{0,4}}\[?[ \t]{{0,4}}([0-9][0-9,.\-]*))?)
    |(?P<rest>[zx]{_LENGTH})
    |(?P<field>\[([A-Za-z]):([^\]\[]*)\])
    |(?P<ending>\[[ \t]?([0-9][0-9,.\-]*)|\["([0-9,.\- ]+)")
    |(?P<chord>\[((?:"[^"]*"|[^\]"\[|])*)\]{_LENGTH}(-?))
    |(?P<text>"([^"]*)("?))
    |(?P<grace>\{{([^}}|]*)(\}}?))
    |(?P<tuplet>\(([0-9]{{1,3}})(?::([0-9]{{0,3}}))?(?::([0-9]{{0,3}}))?)
    |(?P<overlay>\(?&+\)?)
    |(?P<slur>[()])
    |(?P<broken>>+|<+)
    |(?P<tie>-)
    |(?P<old>\+(?!f{{1,4}}\+)((?:[\^_=]{{0,3}}[A-Ga-g][',]*[0-9/]*)+)\+{_LENGTH})
    |(?P<mark>!(?!{_OLD_LINE}!)([^!\s|\[\]][^!|\[\]]{{0,30}})!|\+([A-Za-z0-9.()<>]{{1,30}})\+)
    |(?P<letter>[~.H-Wh-w])
    |(?P<bars>[ZX][ \t]?([0-9]*))
    |(?P<skipped>[`\\$*;!]+|y[0-9/]*)
    |(?P<unread>[^\s\w|:\[\](){{}}"!+\-<>&~.^=`\\$*;]+|\S)
    """,
    re.VERBOSE,
)
_HEAD = re.compile(rf"""{_ACCIDENTAL}([A-Ga-g])([',]*){_LENGTH}(-?)|([zx])([0-9/]*)|![^!]*!|"([^"]*)"|(\S)""")
_FACTOR = re.compile(r"([0-9]*)(/*)([0-9]*)\Z")
_PLACES = {letter: 60 + pitch for letter, pitch in NATURALS.items()}
_PLACES |= {letter.lower(): 72 + pitch for letter, pitch in NATURALS.items()}
_TIME_OF = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
_LETTERS = {"H": "fermata", "S": "segno", "O": "coda"}
_PHRASE_MARKS = frozenset({"breath", "shortphrase", "mediumphrase", "longphrase"})
_JUMPS = {
    "d.c.": "dacapo", "d.c": "dacapo", "dc": "dacapo", "dacapo": "dacapo", "d.s.": "dalsegno", "d.s": "dalsegno",
    "ds": "dalsegno", "dalsegno": "dalsegno", "fine": "fine", "dacoda": "tocoda", "tocoda": "tocoda",
}  # fmt: skip
_WORDS = re.compile(
    r"(d\.? ?c\.?|da ?capo|d\.? ?s\.?|dal ?segno|fine|to ?coda|segno|coda)(?: ?al ?(?:fine|coda|segno))?\.?\Z",
    re.IGNORECASE,
)
_PUNCTUATION = (".", ",", ";", ":", "!", "?")
_SYLLABLE = re.compile(r"[^\s\-_*|]+-?|[-_*|]")
_MOST_NESTED = 8

Sounding = list[Time]
"""A note while it is read: onset, end, pitch, place (the pitch as written, without accidental or transposition). A tie
or a broken rhythm moves its end."""


class Line:
    """What is read of one melody, the notes of a voice or of its overlays.

    Attributes:
        time: where the next note begins.
        notes: onset, end and pitch of each note.
        ends: notes at whose end a phrase ends.
    """

    __slots__ = (
        "accidentals", "broken", "busy", "ends", "fermata", "last", "notes", "slurs", "start", "tied", "time", "tuplets"
    )  # fmt: skip

    def __init__(self) -> None:
        self.time: Time = 0
        self.start: Time = 0
        self.notes: list[Sounding] = []
        self.ends: list[Sounding] = []
        self.tied: dict[int, Sounding] = {}
        self.accidentals: dict[int, int] = {}
        self.last: list[Sounding] | None = None  # of the last note, chord or rest, which began at `start`
        self.slurs: list[Time] = []
        self.busy = False  # whether something below waits for the next note
        self.tuplets: list[list[int]] = []  # numerator, denominator, notes left
        self.broken: tuple[int, int] | None = None
        self.fermata = False

    def scaled(self, duration: Time) -> Time:
        """The duration of the next note in its tuplet and broken rhythm."""
        if self.broken:
            duration = _scaled(duration, *self.broken)
            self.broken = None
        for tuplet in self.tuplets:
            duration = _scaled(duration, tuplet[0], tuplet[1])
            tuplet[2] -= 1
        self.tuplets = [tuplet for tuplet in self.tuplets if tuplet[2]]
        self.busy = bool(self.tuplets) or self.fermata
        return duration


class Voice:
    """Reads the music of one voice.

    Args:
        name: what V: calls it, "" if the tune has one voice.
        properties: its clef, octave, transposition and printed name.
        unit: the unit note length in whole notes.
        signature: the key signature.
        doubts: takes what could not be read.
    """

    def __init__(self, name: str, properties: Properties, unit: Fraction, signature: Signature, doubts: Doubts) -> None:
        self.name = name
        self.properties = properties
        self.meter: Meter | None = None
        self.bars = Bars()
        self.lines = [Line()]
        self.line = self.lines[0]
        self.chords: list[tuple[Time, str]] = []
        self.keys: list[tuple[Time, Key, bool]] = []
        self.meters: list[tuple[Time, Meter]] = []
        self.user: dict[str, str] = dict(_LETTERS)
        self.accidentals_hold = "pitch"
        self.lost = 0
        self.microtones = 0
        self.unread: Counter[str] = Counter()
        self.signature = signature
        self._doubts = doubts
        self._overlaid_bars = 0
        self._overlaid_from: Time | None = None
        self._breath = False
        self._sign = ""
        self._sung: list[Sounding | None] = []
        self._count = 0
        self.set_unit(unit)
        self._shift = properties.semitones

    @property
    def time(self) -> Time:
        """Where the next note begins."""
        return self.line.time

    def set_unit(self, unit: Fraction) -> None:
        """Change the unit note length, in whole notes."""
        self.unit = unit
        self._lengths: dict[str, Time] = {"": _exact(unit * _WHOLE)}

    def set_key(self, key: KeyField) -> None:
        """Change clef and transposition, or also the key, which cancels accidentals."""
        self.set_properties(key.properties)
        if key.signature is not None:
            self.signature = key.signature
            self.line.accidentals.clear()
            if key.key is not None:
                self.keys.append((self.line.time, key.key, key.is_explicit))

    def set_properties(self, properties: Properties) -> None:
        """Change clef, octave and transposition as a field says."""
        self.properties = self.properties.then(properties)
        self._shift = self.properties.semitones

    def set_meter(self, length: Fraction | None, meter: Meter | None) -> None:
        """Change the meter; the length of a bar is in whole notes."""
        self.meter = meter
        self.bars.set_length(None if length is None else _exact(length * _WHOLE), self.line.time)
        if meter is not None:
            self.meters.append((self.line.time, meter))

    def doubt(self, text: str, *, misplaces: bool = False) -> None:
        """Add a doubt at the open bar."""
        self._doubts.add(text, self.bars.number, self.name, misplaces=misplaces)

    def read(self, text: str, start: int) -> Iterator[tuple[str, str, int]]:
        """Read music from a place on; yield each inline field, and stop after V:, where another voice reads on.

        Yields:
            The letter of a field, its value, and the place where it ends.
        """
        for token in _TOKEN.finditer(text, start):
            kind = token.lastgroup
            if kind == "note":
                self._note(token[2], token[3], token[4], token[5], token[6])
            elif kind == "bar":
                self._barline(token[8], token[9] or "")
            elif kind == "field":
                yield token[13], token[14], token.end()
                if token[13] == "V":
                    return
            else:
                self._others(kind, token)

    def _others(self, kind: str | None, token: re.Match[str]) -> None:
        line = self.line
        if kind == "rest":
            self._rest(self._length(token[11]))
        elif kind == "chord":
            self._chord(token[19], token[20], token[21])
        elif kind == "text":
            self._text(token[23], is_closed=bool(token[24]))
        elif kind == "grace":
            self._grace(token[26])
        elif kind == "tuplet":
            self._tuplet(token[29], token[30], token[31])
        elif kind == "broken":
            self._broken_rhythm(token[0])
        elif kind == "slur":
            if token[0] == "(":
                line.slurs.append(line.time)
                del line.slurs[:-_MOST_NESTED]
            elif line.slurs:
                length = line.time - line.slurs.pop()
                if line.last and self.bars.length is not None and length >= self.bars.length:
                    line.ends.append(line.last[0])
        elif kind == "letter":
            self.mark(self.user.get(token[0], ""))
        elif kind == "mark":
            self.mark(token[40] or token[41])
        elif kind == "tie":
            if line.last:
                line.tied.update((int(note[3]), note) for note in line.last)
        elif kind == "ending":
            if line is self.lines[0]:
                self.bars.ending(token[16] or token[17], line.time)
        elif kind == "overlay":
            self._overlay(token[0])
        elif kind == "bars":
            self._rest_of_bars(token[44])
        elif kind == "old":
            self._chord(token[37], token[38], "")
        elif kind == "unread":
            self.unread[token[0][:20]] += len(token[0])

    def _length(self, text: str) -> Time:
        """A written length in ticks, such as `3/2` of the unit."""
        known = self._lengths.get(text)
        if known is not None:
            return known
        match = _FACTOR.match("".join(text.split()))
        if match is None or len(text) > 30 or len(match[1]) > 5 or len(match[3]) > 5 or len(match[2]) > 8:
            raise ScoreError(f"'{text[:30]}' is not the length of a note", "write lengths like 2, 3/2 or /4")
        if (match[1] and not int(match[1])) or (match[3] and not int(match[3])):
            self.doubt("a length of 0 is read as 1", misplaces=True)
        above = int(match[1] or 1) or 1
        below = (int(match[3] or 2) or 1) << (len(match[2]) - 1) if match[2] else 1
        length = self._lengths[text] = _exact(self.unit * _WHOLE * above / below)
        return length

    def _pitch(self, sign: str | None, letter: str, marks: str) -> tuple[int, int]:
        """The place of a head (its pitch without accidental or transposition), and the pitch that sounds."""
        place = _PLACES[letter]
        if marks:
            place += 12 * (marks.count("'") - marks.count(","))
        line = self.line
        held = place if self.accidentals_hold == "octave" else place % 12
        if sign is None:
            if line.tied and place in line.tied and line.tied[place][1] == line.time:
                return place, int(line.tied[place][2])
            alter = line.accidentals.get(held, self.signature[place % 12])
        else:
            alter = self._alteration(sign)
            if self.accidentals_hold != "not":
                line.accidentals[held] = alter
        return place, place + alter + self._shift

    def _alteration(self, sign: str) -> int:
        if sign.strip("^_="):
            self.microtones += 1
            return 0
        return max(min(sign.count("^") - sign.count("_"), 3), -3)

    def _note(self, sign: str | None, letter: str, marks: str, length: str, tie: str) -> None:
        line = self.line
        place, pitch = self._pitch(sign, letter, marks)
        duration = self._lengths.get(length) or self._length(length)
        if line.busy:
            duration = line.scaled(duration)
        start = line.time
        end = start + duration
        if line.tied:
            note = self._continued(pitch, place, start, end, line.tied)
            self._drop_ties(start, line.tied)
        else:
            note = [start, end, pitch, place]
            line.notes.append(note)
        if tie:
            line.tied[place] = note
        line.start = start
        line.time = end
        line.last = [note]
        self._sung.append(note)
        if line.busy or self._sign or self._breath:
            self._attach()

    def _continued(self, pitch: int, place: int, start: Time, end: Time, tied: dict[int, Sounding]) -> Sounding:
        """The note that a tie makes longer, else a new one."""
        for tied_place, note in tied.items():
            if note[2] == pitch and note[1] == start:
                note[1] = end
                del tied[tied_place]
                return note
        note = [start, end, pitch, place]
        self.line.notes.append(note)
        return note

    def _drop_ties(self, start: Time, tied: dict[int, Sounding]) -> None:
        """Forget ties to notes that did not follow."""
        for place in [place for place, note in tied.items() if note[1] <= start]:
            del tied[place]
            self.doubt("a tie leads to no note of the same pitch")

    def _attach(self) -> None:
        """Give the last note what stood before it."""
        line = self.line
        if (line.fermata or self._breath) and line.last:
            line.ends.append(line.last[0])
        line.fermata = self._breath = False
        line.busy = bool(line.tuplets or line.broken)
        if self._sign and line is self.lines[0]:
            self.bars.open.begins, self._sign = self._sign, ""

    def _rest(self, duration: Time) -> None:
        line = self.line
        if line.busy:
            duration = line.scaled(duration)
        if line.tied:
            self._drop_ties(line.time, line.tied)
        line.start = line.time
        line.time += duration
        line.last = []
        if line.busy or self._sign or self._breath:
            self._attach()

    def _chord(self, inner: str, length: str, tie: str) -> None:
        line = self.line
        start = line.time
        factor = self._length(length)
        tied_before = dict(line.tied)
        found: list[Sounding] = []
        waiting: dict[int, Sounding] = {}
        lasts: Time | None = None
        scale: Time = 0
        for head in _HEAD.finditer(inner):
            sign, letter, marks, own, own_tie, rest, rest_length, text, other = head.groups()
            if text is not None:
                self._text(text, is_closed=True)
            elif letter or rest:
                written = self._length((own if letter else rest_length) or "")
                if length:
                    written = _scaled_by(written, factor, self._lengths[""])
                if lasts is None:
                    lasts, scale = written, line.scaled(written) if line.busy else written
                duration = scale if written == lasts else _scaled_by(written, scale, lasts)
                if letter:
                    place, pitch = self._pitch(sign, letter, marks)
                    note = self._continued(pitch, place, start, start + duration, tied_before)
                    line.tied = tied_before
                    found.append(note)
                    if tie or own_tie:
                        waiting[-1 if place in waiting else place] = note  # [CC] has a place twice
            elif other is not None and other not in "().~`-" and not other.isalpha():
                self.unread[other] += 1
        if lasts is None:
            return
        self._drop_ties(start, tied_before)
        line.tied = tied_before | waiting
        line.start = start
        line.time = start + scale
        line.last = found
        if found:
            self._sung.append(found[0])
        if line.busy or self._sign or self._breath:
            self._attach()

    def _grace(self, inner: str) -> None:
        for head in _HEAD.finditer(inner):
            if head[2]:
                self.lost += 1
                if head[1]:  # holds for the bar as that of any note
                    self._pitch(head[1], head[2], head[3])

    def _rest_of_bars(self, count: str) -> None:
        """Read a rest of whole bars."""
        length = self.bars.length or _WHOLE
        if len(count) > 5 or self.line.time + int(count or 1) * length > _LONGEST:
            raise ScoreError(f"it is longer than {MOST_QUARTERS:,} quarter notes", "cut it into pieces")
        for number in range(int(count or 1)):
            if number and self.line is self.lines[0]:
                self.bars.barline("|", "", self.line.time)
            self._rest(length)

    def _tuplet(self, count: str, time: str | None, notes: str | None) -> None:
        """Read `(p:q:r`: p notes in the time of q for the next r."""
        p = int(count)
        is_compound = self.meter is not None and self.meter.numerator in (6, 9, 12) and self.meter.denominator >= 4
        q = int(time or 0) or _TIME_OF.get(p) or (3 if is_compound else 2)
        if p < 1 or (p > 9 and not time):
            self.doubt(f"the tuplet ({count} is not read", misplaces=True)
            return
        tuplet = [q, p, int(notes or 0) or p]
        if self.line.tuplets and self.line.tuplets[-1] == tuplet:
            self.doubt(f"the second ({count} is not read", misplaces=True)
            return
        self.line.tuplets.append(tuplet)
        if len(self.line.tuplets) > _MOST_NESTED:
            raise ScoreError("its tuplets are nested too deeply", "write them one after the other")
        self.line.busy = True

    def _broken_rhythm(self, signs: str) -> None:
        """Read `>`: the note before it is dotted, the one after it half as long."""
        line = self.line
        if line.last is None or len(signs) > 4 or line.time == self.bars.open.start:
            self.doubt("a broken rhythm stands beside no note", misplaces=True)
            return
        whole = 1 << len(signs)
        first, second = (2 * whole - 1, 1) if signs[0] == ">" else (1, 2 * whole - 1)
        end = line.start + _scaled(line.time - line.start, first, whole)
        for note in line.last:
            if note[1] == line.time:
                note[1] = end
        line.time = end
        line.broken = (second, whole)
        line.busy = True

    def _text(self, text: str, *, is_closed: bool) -> None:
        """Read a chord symbol; of annotations only jumps matter."""
        if not is_closed:
            self.doubt("a quotation mark is not closed; the rest of its line is not read", misplaces=True)
            return
        symbol = text.strip()
        words = _WORDS.match(symbol.lstrip("^_<>@0123456789,. "))
        if words:
            self.mark("".join(words[1].lower().split()))
        elif symbol and symbol[0] not in "^_<>@":
            self.chords.append((self.line.time, symbol))

    def mark(self, name: str) -> None:
        """Read a decoration by its name."""
        name = name.lower()
        line = self.line
        if name in ("fermata", "invertedfermata"):
            line.fermata = line.busy = True
        elif name in _PHRASE_MARKS:
            self._breath = True
        elif name in ("segno", "coda"):
            self._sign = name
        else:
            jump = _JUMPS.get(re.sub(r" ?al ?(?:fine|coda|segno)\Z", "", name))
            if jump:
                self.bars.jump(jump, self.lines[0].time)

    def _barline(self, sign: str, endings: str) -> None:
        line = self.line
        if line is not self.lines[0]:
            self._overlaid_bars -= 1
            if self._overlaid_from is not None or self._overlaid_bars > 0:
                line.accidentals.clear()
                return
            self._end_overlay()
            line = self.line
        if line.tuplets and self.bars.length not in (None, line.time - self.bars.open.start):
            self.doubt("a tuplet is not complete at the end of the bar", misplaces=True)
        if self._breath and line.last:
            line.ends.append(line.last[0])
            self._breath = False
        line.accidentals.clear()
        if sign[0] == ":" and line.tied:
            line.tied.clear()
            self.doubt("a tie over the end of a repeat is left out")
        self._sung.append(None)
        self.bars.barline(sign, endings, line.time)

    def _overlay(self, token: str) -> None:
        """Read `&`, which goes back to the start of the bar, `&&` of two bars, or `(&` to `&)`."""
        main = self.lines[0]
        if token[0] == "(":
            self._overlaid_from = self.bars.open.start
            return
        if token[-1] == ")":
            self._overlaid_from = None
            self._end_overlay()
            return
        if self._overlaid_from is not None:
            start = self._overlaid_from
        else:
            back = len(token) - 1
            if back > len(self.bars.closed):
                self.doubt(f"'{token[:20]}' goes back before the start", misplaces=True)
                back = len(self.bars.closed)
            start = self.bars.closed[-back].start if back else self.bars.open.start
            self._overlaid_bars = back + 1
        number = next(place for place, line in enumerate(self.lines) if line is self.line) + 1
        if self.line is not main:
            self._wait()
        if number == len(self.lines):
            if number > _MOST_NESTED:
                raise ScoreError("it has too many overlays in one bar", "write them as voices")
            self.lines.append(Line())
        self.line = self.lines[number]
        self.line.time = start
        self.line.accidentals.clear()
        self.line.last = None

    def _wait(self) -> None:
        """Go on with the voice at the end of the longest overlay."""
        main, line = self.lines[0], self.line
        if line.time != main.time:
            self.doubt("an overlay (&) does not end with its bar", misplaces=True)
            main.time = max(main.time, line.time)

    def _end_overlay(self) -> None:
        if self.line is not self.lines[0]:
            self._wait()
            self.line = self.lines[0]

    def words(self, text: str) -> None:
        """Read the words below the music since the last ones: a phrase ends with punctuation."""
        line = self.lines[0]
        notes = iter(self._sung)
        self._sung = []
        held: Sounding | None = None
        for syllable in _SYLLABLE.findall(text.replace(r"\-", "")):
            if syllable not in "_-" and held is not None:
                line.ends.append(held)
                held = None
            if syllable == "|":
                next((note for note in notes if note is None), None)
                continue
            note = next((note for note in notes if note is not None), None)
            if note is None:
                break
            if syllable in "_-":
                held = note if held is not None else None
            elif syllable.rstrip("'\"”’)*").endswith(_PUNCTUATION):
                held = note
        if held is not None:
            line.ends.append(held)

    def end_line(self) -> None:
        """End a line of music: where a bar is full, it ends too, whether a barline says so or not.

        Raises:
            ScoreError: the voice is too long to be read on.
        """
        main = self.lines[0]
        if self.line is main and self.bars.length == main.time - self.bars.open.start:
            self.bars.close(main.time)
        if self.line.time > _LONGEST:
            raise ScoreError(f"it is longer than {MOST_QUARTERS:,} quarter notes", "cut it into pieces")
        if sum(len(line.notes) for line in self.lines) > MOST_NOTES:
            raise ScoreError(f"it has more than {MOST_NOTES:,} notes", "cut it into pieces")

    def finish(self) -> None:
        """End the voice with the tune."""
        self.end_line()
        self._end_overlay()
        line = self.lines[0]
        if line.tuplets:
            self.doubt("a tuplet is not complete at the end", misplaces=True)
        if self._breath and line.last:
            line.ends.append(line.last[0])
        if any(line.tied for line in self.lines):
            self.doubt("a tie leads to no note of the same pitch")
        self.bars.finish(line.time)
        if self.microtones:
            self._doubts.add(f"microtones are not kept ({self.microtones})", voice=self.name)
        if self.unread:
            found = " ".join(sorted(self.unread)[:10])
            self._doubts.add(f"characters that mean nothing in music ({self.unread.total()}): {found}", voice=self.name)


def _exact(value: Fraction) -> Time:
    """A time as a whole number of ticks, if it is one; with a bounded denominator."""
    if value.denominator == 1:
        return value.numerator
    return value if value.denominator < 1_000_000 else round(value)


def _scaled(duration: Time, above: int, below: int) -> Time:
    product = duration * above
    if isinstance(product, int) and product % below == 0:
        return product // below
    return _exact(Fraction(product) / below)


def _scaled_by(duration: Time, above: Time, below: Time) -> Time:
    return _exact(Fraction(duration) * Fraction(above) / Fraction(below))
