"""Reading Humdrum **kern: the time of each line from the durations in all columns, ties, bars, phrases and chords.

Time is shared: what stands in a line begins together, when the notes before it end. Where columns disagree, most
of them decide, and each barline brings them together again.

Source: David Huron, "Humdrum Representation for Basic Notated Music" (**kern), and the common system for barlines.
"""

from __future__ import annotations

import html
import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TypeVar

from cantilena.errors import ScoreError
from cantilena.io.notation.build import MOST_NOTES, MOST_QUARTERS, Doubts, one_line, part_of
from cantilena.io.notation.humdrum import MOST_SECTIONS, Record, Spine, mark_order, read_records
from cantilena.io.notation.kern_token import (
    CHORD_KINDS,
    NoteSign,
    Token,
    parse_chord,
    parse_key,
    parse_meter,
    parse_signature,
    parse_token,
)
from cantilena.io.notation.text import plain_text
from cantilena.io.score import NOTATION_RESOLUTION, Bar, Part, Score
from cantilena.music import Chord, Key, Meter

_Value = TypeVar("_Value")
_Column = tuple[int, int]
"""A part: the number of a column and of a voice in it."""

_TEXT_KINDS = ("text", "silbe")
_PUNCTUATED = re.compile(r"[.,;:!?][\"'»”’)]*\Z")
_TEMPO = re.compile(r"\*MM~?([0-9]{1,4}(?:\.[0-9]{1,6})?)\b")
_TITLE = re.compile(r"^!!!OTL(@{0,2})\w*:(.*)$", re.MULTILINE)
_DRUMS = ("*clefX", "*Xpitched")
_NAMES = {
    "soprn": "Soprano", "cant": "Cantus", "mezzo": "Mezzo-soprano", "calto": "Alto", "alto": "Alto", "tenor": "Tenor",
    "barit": "Baritone", "bass": "Bass", "vox": "Voice", "violn": "Violin", "vioin": "Violin", "viola": "Viola",
    "cello": "Cello", "cbass": "Double bass", "flt": "Flute", "piano": "Piano",
}  # fmt: skip
"""Instrument codes (`*Isoprn`) that say less than their name; others are kept as they are."""

_FINEST = 10**40
"""The largest common denominator of durations."""


def read_kern(content: bytes) -> Score:
    r"""Read a Humdrum file with **kern columns.

    The rightmost column is track 0, as it is the highest staff. Sections that follow each other in one file are one
    piece, and columns of the same name in them one part. Where the file has repeat signs, or a list of sections
    (`*>[A,A,B]`), the notes stay in the written order.

    Args:
        content: the file's bytes.

    Raises:
        ScoreError: it is not in kern, its columns do not fit together, or it has no notes.

    Examples:
        >>> score = read_kern(b"**kern\n*M2/4\n=1\n4c\n[4d\n=2\n2d]\n==\n*-\n")
        >>> score.parts[0].pitch.tolist(), (score.parts[0].duration // 10080).tolist()
        ([60, 62], [1, 3])
    """
    text = plain_text(content)
    if "**kern" not in text:
        raise ScoreError("it is not in kern, whatever its name says", "name a file with a **kern spine")
    seen = {
        token
        for record in read_records(text)
        if record.kind == "data"
        for spine, token in zip(record.spines, record.tokens, strict=True)
        if spine.kind == "kern"
    } - {"."}
    tokens = {token: parse_token(token) for token in seen}
    reading = _Reading(tokens)
    for record in read_records(text):
        reading.read(record)
    return reading.finish(text)


def _unit(tokens: Iterable[Token]) -> int:
    """A part of a quarter note, one over this, of which all durations are multiples: times are integers."""
    unit = 32
    for denominator in {time.denominator for token in tokens for time in (token.quarters, *_lengths(token))}:
        unit = math.lcm(unit, denominator)
        if unit > _FINEST:
            raise ScoreError("its durations have no common unit", "look for durations that are no note values")
    return unit


def _lengths(token: Token) -> Iterable[Fraction]:
    return (note.quarters for note in token.notes)


class _Reading:
    """The state of a file while it is read; times in parts of a quarter note, `unit` of them."""

    def __init__(self, tokens: dict[str, Token]) -> None:
        self.unit = _unit(tokens.values())
        # A token is met many times: its durations become integers once.
        self.tokens = {
            text: (
                int(token.quarters * self.unit),
                [(int(note.quarters * self.unit), note) for note in token.notes],
                token,
            )
            for text, token in tokens.items()
        }
        self.doubts = Doubts()
        self.ends: dict[Spine, int] = {}
        """Where the last note of a column ends; not yet there for a column that has just begun."""
        self.struck: set[Spine] = set()
        """Columns in which something began in this bar."""
        self.resting: set[Spine] = set()
        """Columns whose last token is a rest."""
        self.time = self.bar_start = 0
        self.is_at_bar = True
        """Whether nothing has begun since the barline, so that the next line is at `time` itself."""
        self.number, self.opens = "", False
        self.length = 0
        """Of a bar by the meter; 0 if that is not known."""
        self.notes: dict[_Column, list[list[int]]] = {}
        self.count = self.lost = 0
        self.open_ties: dict[tuple[int, int], dict[Spine, list[int]]] = {}
        """Notes that are held on, by pitch and end."""
        self.tie_bars: dict[int, str] = {}
        self.phrase_ends: dict[_Column, list[int]] = {}
        self.slurs: dict[tuple[int, int], list[int]] = {}
        self.syllables: dict[int, list[tuple[int, bool]]] = {}
        self.chords: list[tuple[int, Chord]] = []
        self.waiting: list[str] = []
        self.bars: list[Bar] = []
        self.lengths: list[tuple[int, int]] = []
        self.meters: dict[int, Meter] = {}
        self.keys: dict[int, Key] = {}
        self.signatures: dict[int, int] = {}
        self.tempos: dict[int, float] = {0: 120.0}
        self.labels: list[tuple[int, str]] = []
        self.order: list[str] = []
        self.names: dict[int, str] = {}
        self.codes: dict[int, str] = {}
        self.drums: set[int] = set()
        self.newest = -1
        """The highest number of a column so far."""
        self.breaks: list[int] = []
        """The number of the first column after each place where all columns end."""
        self.spines: tuple[Spine, ...] = ()

    def read(self, record: Record) -> None:
        kind, _, spines, tokens = record
        if kind == "data":
            self._data(spines, tokens)
        elif kind == "bar":
            sign = next((token for spine, token in _kern(spines, tokens)), "=")
            # Without a number it may stand anywhere.
            if sign != "=-" or self._is_bar(spines):
                self._barline(spines, sign)
        elif kind == "tandem":
            self._tandem(spines, tokens)
        elif kind == "merge":
            reached = [self.ends[spine] for spine in spines if spine in self.ends]
            if reached and spines[0].kind == "kern":
                self.ends[spines[0]] = max(reached)
                self.struck |= {spines[0]} if not self.struck.isdisjoint(spines) else set()
        else:
            self._end(spines)
            self.breaks.append(self.newest + 1)
        self.spines = () if kind == "end" else spines if kind != "merge" else self.spines

    def _here(self, spines: Sequence[Spine]) -> int:
        """The time of the next line."""
        if self.is_at_bar:
            return self.time
        ends = [self.ends[spine] for spine in spines if spine in self.ends]
        return min((end for end in ends if end > self.time), default=self.time)

    def _data(self, spines: Sequence[Spine], tokens: Sequence[str]) -> None:
        timed = []
        for spine, text in zip(spines, tokens, strict=True):
            if text == "." or spine.kind != "kern":
                continue
            advance, notes, token = self.tokens[text]
            self.lost += token.silent
            if token.doubt:
                self._doubt(token.doubt, spine, misplaces=not advance)
            if token.is_unpitched:
                self.drums.add(spine.origin)
            if advance:
                timed.append((spine, advance, notes, token))
            elif token.marks:
                self._slurs(spine, token.marks, self.ends.get(spine, self.time), 0)
        if timed:
            begun = [spine for spine, *_ in timed if spine in self.ends]
            if self.is_at_bar:  # a rest that is longer than its bar, as 1r in 3/4, ends with it
                begun = [s for s in begun if s not in self.resting or self.ends[s] == self.time] or begun
            ends = {self.ends[spine] for spine in begun}
            time = ends.pop() if len(ends) == 1 else self._agreed(spines, begun)
            if time < self.time or (time == self.time and not self.is_at_bar):
                time = self._here(spines)
            self._place_chords(time)
            for spine, advance, notes, token in timed:
                if self.ends.get(spine, time) != time:
                    where = "before" if self.ends[spine] > time else "after"
                    self._doubt(f"a note begins {where} the one before it has ended", spine, misplaces=True)
                self._strike(spine, time, advance, notes, token)
            self.time, self.is_at_bar = time, False
            if time > MOST_QUARTERS * self.unit:
                raise ScoreError(f"it is longer than {MOST_QUARTERS:,} quarter notes", "cut it into pieces")
        self._beside(spines, tokens, is_timed=bool(timed))

    def _agreed(self, spines: Sequence[Spine], timed: Sequence[Spine]) -> int:
        """The time at which most columns are that go on in a line."""
        ends = Counter(self.ends[spine] for spine in timed)
        return max(ends, key=lambda end: (ends[end], end)) if ends else self._here(spines)

    def _strike(
        self, spine: Spine, time: int, advance: int, notes: Sequence[tuple[int, NoteSign]], token: Token
    ) -> None:
        self.ends[spine] = time + advance
        self.struck.add(spine)
        (self.resting.add if token.is_rest else self.resting.discard)(spine)
        column = (spine.origin, spine.voice)
        self.count += len(notes)
        if self.count > MOST_NOTES:
            raise ScoreError(f"it has more than {MOST_NOTES:,} notes", "cut it into pieces")
        for length, (pitch, _, is_tied, ties) in notes:
            note = self._tied(spine, pitch, time) if is_tied else None
            if note is None:
                note = [time, 0, pitch]
                self.notes.setdefault(column, []).append(note)
            note[1] = time + length
            if ties:
                self.open_ties.setdefault((pitch, note[1]), {})[spine] = note
                self.tie_bars[note[1]] = self.number
        if token.marks:
            if not token.is_rest and any(sign in token.marks for sign in "};,"):
                self.phrase_ends.setdefault(column, []).append(time + advance)
            self._slurs(spine, token.marks, time, advance)

    def _tied(self, spine: Spine, pitch: int, time: int) -> list[int] | None:
        """The note that is held on, from its own voice or else staff if it can; None if there is none."""
        waiting = self.open_ties.get((pitch, time))
        if not waiting:
            self._doubt("a tie comes from no note", spine)
            return None
        near = spine if spine in waiting else min(waiting, key=lambda other: other.origin != spine.origin)
        note = waiting.pop(near)
        if not waiting:
            del self.open_ties[pitch, time]
        return note

    def _slurs(self, spine: Spine, marks: str, time: int, advance: int) -> None:
        """Begin and end slurs; the end of one of a bar or more is the end of a phrase."""
        found = re.findall(r"(&*)([()])", marks)
        for level, sign in sorted(found, key=lambda mark: mark[1] == "("):
            begun = self.slurs.setdefault((spine.origin, len(level)), [])
            if sign == "(":
                begun.append(time)
            elif begun and self.length and time + advance - begun.pop() >= self.length:
                self.phrase_ends.setdefault((spine.origin, spine.voice), []).append(time + advance)

    def _beside(self, spines: Sequence[Spine], tokens: Sequence[str], *, is_timed: bool) -> None:
        """Read the syllables and the chord symbols of a line; a text belongs to the first column on its left."""
        origin, has_text = -1, False
        for spine, text in zip(spines, tokens, strict=True):
            if spine.kind == "kern":
                origin, has_text = spine.origin, False
            elif spine.kind in _TEXT_KINDS and text != ".":
                if is_timed and origin >= 0 and not has_text:
                    syllable = (self.time, _PUNCTUATED.search(text) is not None)
                    self.syllables.setdefault(origin, []).append(syllable)
                has_text = True
            elif spine.kind in CHORD_KINDS and text != ".":
                chord = parse_chord(text)
                if chord is None:
                    if spine.kind != "cdata":
                        self._doubt(f"'{text[:40]}' is no chord symbol", spine, is_chord=True)
                elif is_timed:
                    self.chords.append((self.time, chord))
                else:
                    self.waiting.append(text)

    def _place_chords(self, time: int) -> None:
        """Chords in lines where no note begins stand at equal distances between those where one does."""
        for place, text in enumerate(self.waiting, start=1):
            if (chord := parse_chord(text)) is not None:
                self.chords.append((self.time + (time - self.time) * place // (len(self.waiting) + 1), chord))
        self.waiting.clear()

    def _barline(self, spines: Sequence[Spine], sign: str) -> None:
        kern = [spine for spine in spines if spine.kind == "kern"]
        time = self._bar_time(kern)
        self._place_chords(time)
        for spine in kern:
            end = self.ends.get(spine, time)
            if end < time:
                if spine in self.struck:
                    self._doubt("its notes end before the bar does", spine, misplaces=True)
                self.ends[spine] = time
        self._close(time, sign)

    def _end(self, spines: Sequence[Spine]) -> None:
        """End the last bar, whether or not a barline stands there."""
        self._barline(spines, "==")
        for spine in spines:
            if self.ends.get(spine, 0) > self.time:
                number = self.bars[-1].number if self.bars else ""
                self.doubts.add("its notes go on after the end", number, self._name(spine.origin), misplaces=True)

    def _is_bar(self, spines: Sequence[Spine]) -> bool:
        time = self._bar_time([spine for spine in spines if spine.kind == "kern"])
        return time == self.bar_start + self.length > self.bar_start

    def _bar_time(self, kern: Sequence[Spine]) -> int:
        """The time of a barline: where the columns end in which something began, or by the meter."""
        ends = Counter(self.ends[spine] for spine in kern if spine in self.struck)
        by_meter = self.bar_start + self.length
        if not ends:
            held = min((self.ends.get(spine, self.time) for spine in kern), default=self.time)
            return min(held, by_meter) if self.length and held > self.time else self.time
        if len(ends) > 1 and by_meter in ends:
            return by_meter
        return max(ends, key=lambda end: (ends[end], end))

    def _close(self, time: int, sign: str) -> None:
        """End a bar at a barline; another barline at the same place adds its signs."""
        printed = re.match(r"=+([0-9]{1,6}[a-z]?)", sign)
        is_short = False
        if time > self.bar_start:
            is_short = time - self.bar_start < self.length
            self.bars.append(Bar(self.bar_start, time, self.number, opens_repeat=self.opens))
            self.opens = False
            if not printed and sign and not is_short:
                self.number = str(int(re.sub(r"\D", "", self.number) or 1) + 1)
            elif not self.number:
                self.number = "1"
        closes = re.search(r":[|!]", sign)
        is_final = sign.startswith("==") or (":" not in sign and re.search(r"\|\||!!|\|!|!\|", sign))
        if self.bars and (closes or is_final):
            last = self.bars[-1]
            self.bars[-1] = replace(
                last,
                closes_repeat=2 if closes else last.closes_repeat,
                ends_section=bool(last.ends_section or is_final),
            )
        self.opens = self.opens or re.search(r"[|!]:", sign) is not None
        self.number = printed[1] if printed else self.number
        self.time = self.bar_start = time
        self.is_at_bar = True
        self.struck.clear()

    def _tandem(self, spines: Sequence[Spine], tokens: Sequence[str]) -> None:
        here = self._here(spines)
        self.newest = max(self.newest, *(spine.origin for spine in spines))
        found: dict[str, str] = {}
        for spine, token in _kern(spines, tokens):
            if token in _DRUMS:
                self.drums.add(spine.origin)
            elif token.startswith(('*I"', "*I:")):
                self.names[spine.origin] = token[3:].strip("[]")
            elif code := re.match(r"\*I([a-z]\w*)", token):
                self.codes[spine.origin] = _NAMES.get(code[1], code[1])
            elif token.startswith("*>"):
                found.setdefault("list" if token.startswith("*>[") else "label", token)
            elif token.startswith("*MM"):
                found.setdefault("tempo", token)
            elif parse_meter(token):
                found.setdefault("meter", token)
            elif parse_key(token):
                found.setdefault("key", token)
            elif token.startswith("*k["):
                found.setdefault("signature", token)
        if found:
            self._apply(found, here)

    def _apply(self, found: dict[str, str], here: int) -> None:
        """Take over what a line says of the whole piece, by its highest staff that says it."""
        if (tempo := _TEMPO.match(found.get("tempo", ""))) and 1 <= float(tempo[1]) <= 2000:
            self.tempos[here] = float(tempo[1])
        if meter := parse_meter(found.get("meter", "")):
            self.length = int(meter[1] * self.unit)
            self.lengths.append((here, self.length))
            if meter[0] is not None:
                self.meters[here] = meter[0]
            else:
                self._doubt(f"the meter {found['meter'][2:]} is not kept", None)
        if key := parse_key(found.get("key", "")):
            self.keys[here] = key
        if "signature" in found:
            fifths = parse_signature(found["signature"])
            if fifths is None:
                self._doubt(f"the key signature {found['signature'][2:][:40]} is that of no major key", None)
            else:
                self.signatures[here] = fifths
        if "list" in found and not self.order:
            self.order = found["list"][3:].split("]")[0].split(",")
        if "label" in found and "[" not in found["label"]:
            if here > self.bar_start:
                self._close(here, "")
            self.labels.append((here, found["label"][2:]))

    def _doubt(self, text: str, spine: Spine | None, *, misplaces: bool = False, is_chord: bool = False) -> None:
        voice = self._name(spine.origin) if spine is not None else ""
        self.doubts.add(text, self.number, voice, misplaces=misplaces, is_chord=is_chord)

    def _name(self, origin: int) -> str:
        return self.names.get(origin) or self.codes.get(origin, "")

    def finish(self, text: str) -> Score:
        """Return the score of what was read."""
        if self.spines:
            self._end(self.spines)
            self.doubts.add("its columns do not end (*-): it may be cut off", self.number)
        for (_, end), notes in self.open_ties.items():
            for spine in notes:
                self.doubts.add("a tie goes to no note", self.tie_bars[end], self._name(spine.origin))
        if not self.notes and not self.chords:
            raise ScoreError(
                "none of its notes has a duration" if self.lost else "it has no notes", "name a file with music in it"
            )
        if self.bars and not self.bars[0].number:
            following = self.bars[1].number if len(self.bars) > 1 else ""
            first = str(int(following) - 1) if following.isdecimal() and following != "0" else "1"
            self.bars[0] = replace(self.bars[0], number=first)
            self.doubts.found = [replace(doubt, bar=doubt.bar or first) for doubt in self.doubts.found]
        pickup = self._check_bars()
        bars = tuple(replace(bar, start=self._tick(bar.start), end=self._tick(bar.end)) for bar in self.bars)
        played = None
        if self.order and self.labels and bars:
            labels = {self._tick(time): name for time, name in self.labels if time < self.bars[-1].end}
            if len(self.order) <= MOST_SECTIONS and set(labels.values()).issuperset(self.order):
                bars, played = mark_order(bars, labels, self.order)
            else:
                self.doubts.add(f"its list of {len(self.order)} sections does not fit their names")
        keys, is_stated = self._all_keys()
        title = min(_TITLE.findall(text), key=lambda found: ("@@", "", "@").index(found[0]), default=("", ""))[1]
        return Score(
            self._parts(),
            NOTATION_RESOLUTION,
            tempos=self._map(self.tempos),
            meters=self._map(self.meters),
            keys=self._map(keys),
            keys_are_explicit=is_stated,
            pickup=self._tick(pickup),
            title=one_line(html.unescape(title)),
            lost=self.lost,
            chords=tuple((self._tick(time), chord) for time, chord in self.chords),
            bars=bars,
            doubts=self.doubts.kept(),
            played=played,
        )

    def _tick(self, time: int) -> int:
        return (2 * time * NOTATION_RESOLUTION + self.unit) // (2 * self.unit)

    def _map(self, values: dict[int, _Value]) -> tuple[tuple[int, _Value], ...]:
        return tuple(sorted({self._tick(time): value for time, value in values.items()}.items()))

    def _check_bars(self) -> int:
        """Compare the bars with the meter, and return the length of a pickup.

        A bar may be short where a section begins or ends, and where a barline without a number divides it.
        """
        pickup = 0
        times = [time for time, _ in self.lengths]
        starts = {time for time, _ in self.labels}
        starts |= {after.start for bar, after in pairwise(self.bars) if bar.closes_repeat or bar.ends_section}
        starts |= {bar.start for bar in self.bars if bar.opens_repeat}
        starts |= {0, self.bars[-1].end if self.bars else 0}
        for place, bar in enumerate(self.bars):
            at = bisect_right(times, bar.start) - 1
            length, actual = self.lengths[at][1] if at >= 0 else 0, bar.end - bar.start
            if at < 0 or actual == length:
                continue
            if place == 0 and actual < length and len(self.bars) > 1:
                pickup = actual
            near = [self.bars[other] for other in (place - 1, place + 1) if 0 <= other < len(self.bars)]
            is_divided = any(
                other.number == bar.number and other.end - other.start + actual == length for other in near
            )
            if is_divided or (actual < length and not starts.isdisjoint((bar.start, bar.end))):
                continue
            self.doubts.add(
                f"the bar is {Fraction(actual, self.unit)} quarter notes long, not {Fraction(length, self.unit)}",
                bar.number,
                misplaces=place + 1 < len(self.bars),
            )
        return pickup

    def _all_keys(self) -> tuple[dict[int, Key], bool]:
        """The keys, and whether all state their mode; a signature alone stands for its major key."""
        found: dict[int, Key] = {}
        is_stated, key = True, None
        for time in sorted({*self.keys, *self.signatures}):
            if time in self.keys:
                found[time] = key = self.keys[time]
            elif key is None or (key.fifths - self.signatures[time]) % 12:
                found[time] = key = Key(self.signatures[time] * 7 % 12)
                is_stated = False
        return found, bool(found) and is_stated

    def _parts(self) -> tuple[Part, ...]:
        self._end_verses()
        tracks: dict[tuple[str, int], int] = {}
        notes: dict[tuple[int, int], list[list[int]]] = {}
        ends: dict[tuple[int, int], list[int]] = {}
        origin_of: dict[int, int] = {}
        counts: Counter[tuple[int, str]] = Counter()
        columns = sorted(self.notes, key=lambda one: (bisect_right(self.breaks, one[0]), -one[0], one[1]))
        track_of: dict[int, int] = {}
        for origin, voice in columns:
            section, name = bisect_right(self.breaks, origin), self._name(origin)
            if origin not in track_of:
                track_of[origin] = tracks.setdefault((name, counts[section, name]), len(tracks))
                counts[section, name] += 1
            track = track_of[origin]
            origin_of.setdefault(track, origin)
            notes.setdefault((track, voice), []).extend(self.notes[origin, voice])
            ends.setdefault((track, voice), []).extend(self.phrase_ends.get((origin, voice), ()))
        return tuple(
            replace(
                part_of(
                    ((self._tick(onset), self._tick(end), pitch) for onset, end, pitch in notes[track, voice]),
                    self._name(origin_of[track]),
                    track,
                    map(self._tick, ends[track, voice]),
                ),
                is_drums=origin_of[track] in self.drums,
            )
            for track, voice in sorted(notes)
        )

    def _end_verses(self) -> None:
        """A phrase ends with the last note of a syllable that punctuation follows."""
        for origin, syllables in self.syllables.items():
            notes = sorted(self.notes.get((origin, 0), ()))
            onsets = [note[0] for note in notes]
            for (time, is_end), (until, _) in pairwise((*syllables, (MOST_QUARTERS * self.unit, False))):
                place = bisect_left(onsets, time)
                end = time
                while is_end and place < len(notes) and onsets[place] < until and onsets[place] == end:
                    end, place = notes[place][1], place + 1
                if end > time:
                    self.phrase_ends.setdefault((origin, 0), []).append(end)


def _kern(spines: Sequence[Spine], tokens: Sequence[str]) -> Iterator[tuple[Spine, str]]:
    """The columns of kern with their tokens, the highest staff first."""
    for spine, token in zip(reversed(spines), reversed(tokens), strict=True):
        if spine.kind == "kern":
            yield spine, token
