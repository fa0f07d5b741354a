"""Reading ABC: tunes of a book as scores.

Decisions where the standard is silent or programs differ:

- An accidental holds for its letter in all octaves up to the barline, the default of 2.1 (`I:propagate-accidentals`).
- Microtones are left out: the note sounds as its letter without accidental.
- A clef moves notes only by an 8 or 15 at it; `octave=` and `transpose=` move them, `middle=`, `score=` and `sound=` do
  not. Chord symbols move with `transpose=`.
- Fields in the body, also inline, hold for the voice they stand in; before the first music they hold for all voices.
- Music before the first V: is that of voice 1. A percussion clef or channel 10 makes a voice percussion.
- The parts of P:ABA in the head are played with their repeats; AABB does not double what repeats itself.
- Voices keep their own time, except that voices with the same number of bars wait for each other at barlines, with a
  doubt for each bar where one has to. Bars, meters and keys are those of the first voice, or of the longest one if the
  first ends before it.
- A tie over the end of a repeat is left out, since what follows is not what is played next.
Source: The ABC Music Standard 2.1, abcnotation.com/wiki/abc:standard:v2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial

from cantilena.errors import ScoreError, UsageError
from cantilena.io.notation.abc_bars import (
    Shift,
    Time,
    WrittenBar,
    aligned_starts,
    bars_of,
    check_lengths,
    order_of_parts,
    played_parts,
)
from cantilena.io.notation.abc_fields import (
    KeyField,
    Properties,
    one_word,
    read_key,
    read_meter,
    read_properties,
    read_tempo,
    read_unit,
)
from cantilena.io.notation.abc_music import Voice
from cantilena.io.notation.abc_tunes import FIELD, TuneText, decode_title, looks_like_music
from cantilena.io.notation.build import MOST_NOTES, Doubts, part_of
from cantilena.io.score import NOTATION_RESOLUTION, Bar, Part, Score
from cantilena.music import Chord, Meter, Repeats

_MOST_VOICES = 200
_MOST_EXPANDED = 1_000_000
_COMMENT = re.compile(r"(?<!\\)%.*", re.DOTALL)
_PROPAGATE = re.compile(r"propagate-accidentals[\s=]+(not|octave|pitch)")
_TRANSPOSE = re.compile(r"(?:MIDI[\s=]+)?(?:r?transpose)\b")
_DRUMS = re.compile(r"MIDI[\s=]+channel[\s=]+10\b")
_MACRO = re.compile(r"\s*([^=]{1,30}?)\s*=\s*(.{1,200}?)\s*\Z")
_STEPS = "CDEFGAB"
_USER = re.compile(r"\s*([H-Wh-w~])\s*=\s*[!+]([^!+]{1,30})[!+]")


def read_abc_tune(tune: TuneText | str) -> Score:
    r"""Read one tune: ties are joined, repeats are not played twice, grace notes are left out.

    Each voice is a part, and each overlay (`&`) of a voice another one with the same track.

    Args:
        tune: its text, as `split_tunes` finds it in a book.

    Raises:
        ScoreError: it cannot be read.

    Examples:
        >>> score = read_abc_tune("L:1/4\nK:Am\nA- | A B c2 |")
        >>> score.parts[0].duration.tolist(), score.keys
        ([20160, 10080, 20160], ((0, Key(tonic=9, mode='minor')),))
    """
    reader = _Reader()
    reader.read(tune.text if isinstance(tune, TuneText) else tune)
    return reader.score()


class _Reader:
    """Reads the lines of one tune."""

    def __init__(self) -> None:
        self._doubts = Doubts()
        self._title = ""
        self._unit: Fraction | None = None
        self._meter: tuple[Fraction | None, Meter | None] = (None, None)
        self._key: KeyField = read_key("none")
        self._properties = Properties()
        self._declared: dict[str, Properties] = {}
        self._voices: dict[str, Voice] = {}
        self._current = ""
        self._has_key = False
        self._is_body = False
        self._has_music = False
        self._tempos: dict[Time, float] = {}
        self._sections: dict[Time, str] = {}
        self._order = ""
        self._user: dict[str, str] = {}
        self._macros: dict[str, tuple[re.Pattern[str], str]] = {}
        self._hold = "pitch"
        self._breaks_at_marks = False
        self._has_words = False
        self._transposing = 0
        self._expanded = 0

    def read(self, text: str) -> None:
        """Read a tune up to the empty line after its music."""
        lines = text.split("\n") if "\r" not in text else text.splitlines()
        lines = [line.replace("\u2028", " ") for line in lines]
        for number, line in enumerate(_joined(lines)):
            if line is None:
                if self._has_music:
                    left = sum(map(looks_like_music, lines[number:]))
                    if left:
                        self._doubts.add(f"{left} lines that look like music after an empty line are not read")
                    break
                continue
            if line.startswith("%%"):
                self._directive(line[2:])
                continue
            field = FIELD.match(line)
            if field:
                self._field(field[1], field[2])
            elif self._has_key or self._is_body or looks_like_music(line):
                self._music(line)

    def _music(self, line: str) -> None:
        if _is_prose(line):
            self._doubts.add(f"a line that looks like text is not read: {one_word(line)}")
            return
        if self._breaks_at_marks:
            line = line.replace("!", " ")
        for pattern, value in self._macros.values():
            self._expanded += sum(len(value) for _ in pattern.finditer(line))
            if self._expanded > _MOST_EXPANDED:
                raise ScoreError("its macros (m:) are too long", "write them out")
            line = pattern.sub(partial(_expanded, value), line)
        self._is_body = self._has_music = True
        self._has_words = False
        if len(line) > MOST_NOTES and sum(map(line.count, "ABCDEFGabcdefg")) > MOST_NOTES:
            raise ScoreError(f"it has more than {MOST_NOTES:,} notes", "cut it into pieces")
        place = 0
        read = []
        while place < len(line):
            voice, start = self._voice(), place
            read.append(voice)
            place = len(line)
            for letter, value, end in voice.read(line, start):
                self._field(letter, value)
                place = end if letter == "V" else place
        for voice in read:
            voice.end_line()

    def _voice(self) -> Voice:
        """The voice that reads on; it begins with what the tune's head says."""
        voice = self._voices.get(self._current)
        if voice is None:
            if len(self._voices) >= _MOST_VOICES:
                raise ScoreError(f"it has more than {_MOST_VOICES} voices", "cut it into pieces")
            properties = self._properties.then(self._declared.get(self._current, Properties()))
            length, meter = self._meter
            voice = Voice(self._current, properties, self._unit_length(), self._key.signature or {}, self._doubts)
            voice.accidentals_hold = self._hold
            voice.user.update(self._user)
            voice.set_meter(length, meter)
            if self._key.key is not None:
                voice.keys.append((0, self._key.key, self._key.is_explicit))
            self._voices[self._current] = voice
        return voice

    def _unit_length(self) -> Fraction:
        """The unit note length of the head, by the meter if it names none."""
        if self._unit is None:
            self._unit = self._default_unit()
        return self._unit

    def _default_unit(self) -> Fraction:
        length = self._meter[0]
        return Fraction(1, 16 if length is not None and length < Fraction(3, 4) else 8)

    def _field(self, letter: str, value: str) -> None:
        if letter == "K":
            self._set_key(value)
        elif letter == "V":
            self._set_voice(value)
        elif letter == "M":
            length, meter, doubt = read_meter(value)
            self._add(doubt)
            if self._is_body:
                self._voice().set_meter(length, meter)
            else:
                self._meter = length, meter
        elif letter == "L":
            unit = read_unit(value)
            if unit is None and value.strip():
                self._add(f"the note length '{one_word(value)}' is unknown")
            elif unit is not None and self._is_body:
                self._voice().set_unit(unit)
            elif unit is not None:
                self._unit = unit
        elif letter == "Q":
            self._set_tempo(value)
        elif letter == "P":
            if self._is_body:
                self._sections.setdefault(self._voice().time, value.strip())
            elif self._has_key:
                self._sections.setdefault(0, value.strip())
            else:
                self._order = value.strip()
        elif letter == "T":
            self._title = self._title or decode_title(value)
        elif letter == "I":
            self._directive(value)
        elif letter == "U":
            user = _USER.match(value)
            if user:
                self._user[user[1]] = user[2]
                for voice in self._voices.values():
                    voice.user[user[1]] = user[2]
        elif letter == "m":
            self._define(value)
        elif letter == "w" and self._is_body and not self._has_words:
            self._has_words = True  # of several verses the first one
            self._voice().words(value)

    def _set_key(self, value: str) -> None:
        key = read_key(value)
        for doubt in key.doubts:
            self._add(doubt)
        if not self._is_body:
            self._properties = self._properties.then(key.properties)
            if key.signature is not None:
                self._key = key
            if not self._has_key and self._declared:
                self._current = next(iter(self._declared))
            self._has_key = True
            self._unit_length()  # decided by the meters above the key alone
            return
        self._voice().set_key(key)

    def _set_voice(self, value: str) -> None:
        words, properties = read_properties(value)
        name = words[0].strip('"') if words else ""
        if not name or name == "*":
            if not self._is_body:
                self._properties = self._properties.then(properties)
            return
        if any("|" in word for word in words[1:]):
            self._doubts.add("music in the line of V: is not read", voice=name, misplaces=True)
        for doubt in properties.doubts:
            self._add(doubt, name)
        unnamed = self._voices.pop("", None)
        if unnamed is not None and unnamed.time:  # music before V: is that of voice 1
            unnamed.name = "1"
            self._voices["1"] = unnamed
            self._declared["1"] = unnamed.properties
        self._current = name
        self._has_words = False
        self._is_body |= self._has_key
        self._declared[name] = self._declared.get(name, Properties()).then(properties)
        if len(self._declared) > _MOST_VOICES:
            raise ScoreError(f"it has more than {_MOST_VOICES} voices", "cut it into pieces")
        if name in self._voices:
            self._voices[name].set_properties(properties)

    def _set_tempo(self, value: str) -> None:
        unit = self._voice().unit if self._is_body else self._unit or self._default_unit()
        rate = read_tempo(value, unit)
        if rate is None:
            return
        if not 1 <= rate <= 2000:
            self._add(f"the tempo '{one_word(value)}' is out of range")
            return
        self._tempos[self._voice().time if self._is_body else 0] = rate

    def _directive(self, text: str) -> None:
        text = text.strip()
        propagate = _PROPAGATE.match(text)
        if propagate:
            self._hold = propagate[1]
            for voice in self._voices.values():
                voice.accidentals_hold = self._hold
        elif _DRUMS.match(text):
            drums = Properties(is_drums=True)
            if self._is_body:
                self._voice().set_properties(drums)
            elif self._current in self._declared:
                self._declared[self._current] = self._declared[self._current].then(drums)
        elif _TRANSPOSE.match(text):
            self._transposing += 1
        elif text.startswith("linebreak"):
            self._breaks_at_marks = "!" in text

    def _define(self, value: str) -> None:
        macro = _MACRO.match(value)
        if macro is None or len(self._macros) >= 50:
            return
        target = re.escape(macro[1]).replace("n", "([A-Ga-g][,']*)", 1)
        self._macros[macro[1]] = re.compile(target), macro[2]

    def _add(self, doubt: str, voice: str = "") -> None:
        if doubt and self._is_body:
            self._voice().doubt(doubt)
        elif doubt:
            self._doubts.add(doubt, voice=voice)

    def score(self) -> Score:
        """Return what was read."""
        for voice in self._voices.values():
            voice.finish()
        voices = [voice for voice in self._voices.values() if any(line.notes for line in voice.lines)]
        voices = voices or [voice for voice in self._voices.values() if voice.chords]
        if not voices:
            raise ScoreError("it has no notes", "name a tune with music in it")
        names = list(self._declared) or [""]
        voices.sort(key=lambda voice: names.index(voice.name))
        if not self._has_key:
            self._doubts.add("it names no key (K:) and is read in C major")
        for voice in voices:
            check_lengths(voice.bars.closed, self._sections, self._doubts, voice.name)
        self._align(voices)
        latest = max(_end(voice) for voice in voices)
        first = voices[0] if _end(voices[0]) == latest else next(v for v in voices if _end(v) == latest)
        bars = bars_of(first.bars.closed, self._sections)
        if self._transposing:
            self._doubts.add("%%MIDI transpose is not applied")
        keys = {round(time): (key, is_explicit) for time, key, is_explicit in first.keys}
        return Score(
            tuple(_parts(voices, names)),
            NOTATION_RESOLUTION,
            tempos=tuple(sorted(({0: 120.0} | {round(time): rate for time, rate in self._tempos.items()}).items())),
            meters=tuple(sorted({round(time): meter for time, meter in first.meters}.items())),
            keys=tuple(sorted((tick, key) for tick, (key, _) in keys.items())),
            keys_are_explicit=bool(keys) and all(is_explicit for _, is_explicit in keys.values()),
            pickup=_pickup(first.bars.closed),
            title=self._title,
            lost=sum(voice.lost for voice in voices),
            chords=tuple(self._chords(voices)),
            bars=bars,
            played=self._played(bars),
            doubts=self._doubts.kept(),
        )

    def _align(self, voices: list[Voice]) -> None:
        """Let voices wait for each other at barlines, or say that they do not meet."""
        if len(voices) == 1:
            return
        starts = aligned_starts([voice.bars.closed for voice in voices])
        if starts is None:
            ends = [{bar.end for bar in voice.bars.closed} for voice in voices]
            latest = max(map(_end, voices))
            for voice in voices:
                if _end(voice) != latest:
                    self._doubts.add("it ends before another voice", voice=voice.name, misplaces=True)
            for voice, own in zip(voices[1:], ends[1:], strict=True):
                fewer, more = sorted((own, ends[0]), key=len)
                off = sorted(time for time in fewer - more if time < max(more, default=0))
                if off:
                    number = next(place for place, bar in enumerate(voice.bars.closed, 1) if bar.end >= off[0])
                    text = f"its barlines do not meet those of {voices[0].name or 'the first voice'}"
                    self._doubts.add(text, str(number), voice.name, misplaces=True)
            return
        moved: dict[Time, Time] = {}
        for number, voice in enumerate(voices):
            bars = voice.bars.closed
            for place, bar in enumerate(bars):
                waits = starts[place + 1] - starts[place] - (bar.end - bar.start)
                if waits and place + 1 < len(bars):
                    text = "it waits for another voice at the end of the bar"
                    self._doubts.add(text, str(place + 1), voice.name, misplaces=True)
            shift = Shift(bars, starts)
            if number == 0:
                moved = {time: shift.onset(time) for time in (*self._tempos, *self._sections)}
            _move(voice, shift)
            for place, bar in enumerate(bars):
                bar.start, bar.end = starts[place], starts[place + 1]
        self._tempos = {moved.get(time, time): rate for time, rate in self._tempos.items()}
        self._sections = {moved.get(time, time): name for time, name in self._sections.items()}

    def _played(self, bars: tuple[Bar, ...]) -> Repeats | None:
        """The order of playing that P: in the head states, where it is not that of the body."""
        parts = [(time, self._sections[time][:1]) for time in sorted(self._sections)]
        order = order_of_parts(self._order)
        if order in ("", "".join(name for _, name in parts)):
            return None
        played = played_parts(bars, parts, order)
        if played is None:
            self._doubts.add(f"the order of parts P:{one_word(self._order)} is not applied")
        return played

    def _chords(self, voices: list[Voice]) -> Iterator[tuple[int, Chord]]:
        """The chord symbols of all voices; the first voice has precedence."""
        known: dict[str, Chord | None] = {}
        found: dict[int, Chord] = {}
        for voice in voices:
            for time, symbol in voice.chords:
                if symbol not in known:
                    known[symbol] = _chord(symbol)
                    if known[symbol] is None:
                        self._doubts.add(f"'{one_word(symbol)}' is not a chord symbol", voice=voice.name, is_chord=True)
                chord = known[symbol]
                if chord is not None:
                    found.setdefault(round(time), chord.transposed(voice.properties.transpose or 0))
        yield from sorted(found.items(), key=lambda item: item[0])


def _joined(lines: list[str]) -> Iterator[str | None]:
    """Lines without comments, continued fields (`+:`) joined; None for empty ones.

    There is one result a line of the text: a continued field comes in place of its last line, "%" before that.
    """
    continued: str | None = None
    for number, line in enumerate(lines):
        if not line.strip():
            yield None
            continue
        if line[0] == "%" and line[1:2] != "%":
            yield "%%"
            continue
        if line.startswith("+:"):
            line = line[2:]
            line = f"{continued or '%%'} {line.lstrip()}"
        if "%" in line and line[:2] != "%%":
            line = _COMMENT.sub("", line).rstrip()
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if following.startswith("+:") and (FIELD.match(line) or line[:2] == "%%"):
            continued = line.rstrip("\\ \t")
            yield "%%"
        else:
            continued = None
            yield line if line.strip() else "%%"


def _expanded(text: str, found: re.Match[str]) -> str:
    """The text of a macro; in one that transposes, n is the note that was found and h to z are those around it."""
    if not found.re.groups:
        return text
    note = found[1]
    step = _STEPS.index(note[0].upper()) + 7 * (note[0].islower() + note.count("'") - note.count(","))

    def moved(letter: re.Match[str]) -> str:
        octave, place = divmod(step + ord(letter[0]) - ord("n"), 7)
        return _STEPS[place] + "," * -octave if octave < 1 else _STEPS[place].lower() + "'" * (octave - 1)

    return re.sub("[h-z]", moved, text)


def _is_prose(line: str) -> bool:
    """Whether a line in the body is text, such as a remark without `%`."""
    if "|" in line:
        return False
    words = re.findall(r"[A-Za-z]{2,}", re.sub(r'"[^"]*"|![^!]{1,30}!', "", line)) if len(line) < 1000 else []
    letters = "".join(words)
    return len(words) > 2 and sum(letter not in "ABCDEFGabcdefgzx" for letter in letters) > 0.4 * len(letters)


def _chord(symbol: str) -> Chord | None:
    """The chord of a symbol; of alternatives such as `G(Em)` the first one."""
    for text in (symbol, re.sub(r"\(.*", "", symbol), symbol.strip("()")):
        try:
            return Chord.parse(text)
        except UsageError:
            continue
    return None


def _end(voice: Voice) -> Time:
    return voice.bars.closed[-1].end if voice.bars.closed else 0


def _pickup(bars: list[WrittenBar]) -> int:
    """Ticks of an incomplete first bar."""
    first = bars[0]
    lasts = first.end - first.start
    return round(lasts) if len(bars) > 1 and first.length is not None and lasts < first.length else 0


def _move(voice: Voice, shift: Shift) -> None:
    """Move all that was read of a voice."""
    for line in voice.lines:
        for note in line.notes:
            note[0], note[1] = shift.onset(note[0]), shift.end(note[1])
    voice.chords = [(shift.onset(time), symbol) for time, symbol in voice.chords]
    voice.keys = [(shift.onset(time), key, is_explicit) for time, key, is_explicit in voice.keys]
    voice.meters = [(shift.onset(time), meter) for time, meter in voice.meters]


def _parts(voices: list[Voice], names: list[str]) -> Iterator[Part]:
    for voice in voices:
        track, name = names.index(voice.name), voice.properties.name or voice.name
        for line in voice.lines:
            if line.notes:
                notes = ((round(note[0]), round(note[1]), int(note[2])) for note in line.notes)
                part = part_of(notes, name, track, (round(note[1]) for note in line.ends))
                yield replace(part, is_drums=bool(voice.properties.is_drums))
