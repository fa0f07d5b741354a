"""Writing melodies as MusicXML 4.0, partwise: a part with one staff, and another one under it on request.

Chord symbols are `<harmony>` elements before the note during which the chord begins, with an offset to its place.
A pickup is an implicit measure, numbered 0. There are 24 divisions a quarter note, the ticks of a melody, so that no
duration is rounded. Pitches below MIDI 12 get the octave -1, which programs read though the standard stops at 0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

from cantilena.errors import __version__
from cantilena.io.engraving.bars import Bar, Symbol, best_clef, notate, voice
from cantilena.io.engraving.note_values import Triplet, value_of
from cantilena.io.engraving.spelling import Accidentals, SpelledChord, Spelling, spell_pitch
from cantilena.io.notation.musicxml_harmony import harmony_element
from cantilena.io.printable import printable
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, Note, find_key

_MOST_TEMPO_MARKS = 4  # of a performance with hundreds of changes only the first is printed, the others only sound


@dataclass(frozen=True, slots=True)
class Head:
    """One note head; tied notes and chords have several.

    Args:
        id: the `id` of its `<note>`.
        note: index in `melody.sounding` of the note that it shows.
        start: ticks from the start of the melody.
        end: ticks likewise, of this head alone.
    """

    id: str
    note: int
    start: int
    end: int


def musicxml(melody: Melody, *, lower: Sequence[Note] = ()) -> str:
    """Return a melody as a MusicXML document; overlapping notes are cut where the next one begins.

    Args:
        melody: the melody, with its chord symbols.
        lower: notes of a second staff under it, such as those of `accompaniment`; none for one staff.

    Raises:
        UsageError: more than 50,000 bars.

    Examples:
        >>> text = musicxml(Melody.from_pitches([(60, 24), (62, 24), (64, 48)], title="Three notes"))
        >>> text.count("<note>"), "<work-title>Three notes</work-title>" in text
        (3, True)
    """
    return musicxml_with_heads(melody, lower=lower)[0]


def musicxml_with_heads(
    melody: Melody,
    prefix: str = "",
    new_lines: Collection[int] = (),
    lyrics: Mapping[int, str] | None = None,
    lower: Sequence[Note] = (),
) -> tuple[str, tuple[Head, ...]]:
    """Return a melody as MusicXML, and its note heads.

    Args:
        melody: the melody.
        prefix: the beginning of the `id` of every note; "" for no ids.
        new_lines: indices of the bars that begin a new line.
        lyrics: text under notes, by index in `melody.sounding`.
        lower: notes of a second staff, which has no ids.
    """
    key = melody.key or find_key(melody) or Key()  # for the spelling; an unknown key has no signature
    upper = _Writer(melody, key, prefix, lyrics or {})
    lines = [*_head(melody, has_lower=bool(lower)), *upper.part("P1", new_lines)]
    if lower:
        lines += _Writer(replace(melody, notes=tuple(lower)), key, is_lower=True).part("P2")
    return "\n".join([*lines, "</score-partwise>", ""]), tuple(upper.heads)


def _head(melody: Melody, *, has_lower: bool) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield (
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
        '"http://www.musicxml.org/dtds/partwise.dtd">'
    )
    yield '<score-partwise version="4.0">'
    if title := printable(melody.title):
        yield f"<work><work-title>{escape(title)}</work-title></work>"
    source = printable(melody.source)
    source = f"<source>{escape(source)}</source>" if source else ""
    yield f"<identification><encoding><software>Cantilena {__version__}</software></encoding>{source}</identification>"
    yield "<part-list>" + _BRACE * has_lower + _part(1, "Melody", "</part-list>" * (not has_lower))
    if has_lower:
        yield _part(2, "Accompaniment", '<part-group type="stop" number="1"/></part-list>')


_BRACE = (
    '<part-group type="start" number="1"><group-symbol>brace</group-symbol><group-barline>yes</group-barline>'
    "</part-group>"
)


def _part(number: int, name: str, ending: str) -> str:
    instrument = f"P{number}-I1"
    return "\n".join(
        (
            f'<score-part id="P{number}"><part-name print-object="no">{name}</part-name>',
            f'<score-instrument id="{instrument}"><instrument-name>Piano</instrument-name></score-instrument>',
            f'<midi-instrument id="{instrument}"><midi-channel>{number}</midi-channel><midi-program>1</midi-program>'
            "</midi-instrument>",
            f"</score-part>{ending}",
        )
    )


class _Writer:
    """Writes measures from left to right."""

    def __init__(
        self,
        melody: Melody,
        key: Key,
        prefix: str = "",
        lyrics: Mapping[int, str] | None = None,
        *,
        is_lower: bool = False,
    ) -> None:
        self.melody, self.prefix, self.lyrics = melody, prefix, lyrics or {}
        self._clef = best_clef([pitch for chord in voice(melody) for pitch in chord.pitches])
        self.heads: list[Head] = []
        self._key = key
        self._accidentals = Accidentals(melody.key.fifths if melody.key else 0)
        # Some readers join tied notes only where both or neither state that they are natural.
        self._naturals: set[tuple[int, int]] = set()
        self._tempos = [] if is_lower else list(melody.tempo.changes)
        self._shows_tempos = len(self._tempos) <= _MOST_TEMPO_MARKS
        chords = [(tick, chord) for tick, chord in melody.chords if tick < melody.length]
        # The upper part has the symbols, the lower one is spelled by them.
        self._symbols = deque(() if is_lower else chords)
        self._spelled = [SpelledChord.of_chord(chord, key) for _, chord in chords if is_lower]
        self._chords = chords

    def part(self, name: str, new_lines: Collection[int] = ()) -> Iterator[str]:
        """Yield the lines of a part; bars at the indices of `new_lines` begin a new line."""
        bars = notate(self.melody)
        first_number = int(bars[0].is_whole)
        yield f'<part id="{name}">'
        for index, bar in enumerate(bars):
            yield from self.measure(
                bar, first_number + index, is_last=index == len(bars) - 1, on_new_line=index in new_lines
            )
        yield "</part>"

    def measure(self, bar: Bar, number: int, *, is_last: bool, on_new_line: bool) -> Iterator[str]:
        """Yield the lines of one measure."""
        self._accidentals.barline()
        implicit = "" if bar.is_whole else ' implicit="yes"'
        yield f'<measure number="{number}"{implicit}>'
        if on_new_line:
            yield '<print new-system="yes"/>'
        if bar.start == 0:
            yield from self._attributes()
        for symbol in bar.symbols:
            end = symbol.start + symbol.duration
            while self._tempos and self._tempos[0][0] < end:
                yield self._tempo(*self._tempos.pop(0), symbol.start)
            while self._symbols and self._symbols[0][0] < end:
                tick, chord = self._symbols.popleft()
                yield harmony_element(chord, self._key, tick - symbol.start)
            yield from self._symbol(symbol)
        if is_last:
            yield '<barline location="right"><bar-style>light-heavy</bar-style></barline>'
        yield "</measure>"

    def _attributes(self) -> Iterator[str]:
        meter, key = self.melody.meter, self.melody.key
        yield f"<attributes><divisions>{TICKS_PER_QUARTER}</divisions>"
        if key is not None:
            yield f"<key><fifths>{key.fifths}</fifths><mode>{key.mode}</mode></key>"
        yield f"<time><beats>{meter.numerator}</beats><beat-type>{meter.denominator}</beat-type></time>"
        clef = self._clef
        octaves = f"<clef-octave-change>{clef.octaves}</clef-octave-change>" if clef.octaves else ""
        yield f"<clef><sign>{clef.sign}</sign><line>{clef.line}</line>{octaves}</clef></attributes>"

    def _tempo(self, tick: int, rate: float, now: int) -> str:
        late = max(tick - now, 0)
        offset = f'<offset sound="yes">{late}</offset>' if late else ""  # without "yes" it moves only what is printed
        quarters = f"{rate:.4f}".rstrip("0").rstrip(".")
        if tick and not self._shows_tempos:
            return (
                f'<sound tempo="{quarters}"><offset>{late}</offset></sound>' if late else f'<sound tempo="{quarters}"/>'
            )
        beat = self.melody.meter.ticks_per_beat
        value = value_of(beat)
        assert value is not None
        per_minute = max(round(rate * TICKS_PER_QUARTER / beat), 1)
        return (
            '<direction placement="above"><direction-type><metronome>'
            f"<beat-unit>{value.kind}</beat-unit>{'<beat-unit-dot/>' * value.dots}<per-minute>{per_minute}</per-minute>"
            f'</metronome></direction-type>{offset}<sound tempo="{quarters}"/></direction>'
        )

    def _symbol(self, symbol: Symbol) -> Iterator[str]:
        chord = symbol.chord
        if chord is None:
            rest = '<rest measure="yes"/>' if symbol.value is None else "<rest/>"
            yield f"<note>{rest}<duration>{symbol.duration}</duration><voice>1</voice>{_appearance(symbol, '')}</note>"
            return
        for index, (pitch, source) in enumerate(zip(chord.pitches, chord.sources, strict=True)):
            name = f"{self.prefix}{len(self.heads)}"
            self.heads.append(Head(name, source, symbol.start, symbol.start + symbol.duration))
            spelling = self._tone(pitch, chord.start) or spell_pitch(pitch, self._key, chord.resolution(pitch))
            sign = self._accidentals.sign(spelling, tied=symbol.tied[0])
            if not symbol.tied[0] and sign and spelling.alter == 0:
                self._naturals.add((chord.start, pitch))
            states_natural = symbol.tied[0] and (chord.start, pitch) in self._naturals
            yield f'<note id="{name}">' if self.prefix else "<note>"
            yield "<chord/>" * (index > 0) + _pitch(spelling, states_natural=states_natural)
            yield f"<duration>{symbol.duration}</duration>{_ties('tie', symbol)}<voice>1</voice>"
            yield _appearance(symbol, _accidental(sign), is_first=index == 0)
            yield ("" if symbol.tied[0] else _lyric(self.lyrics.get(source, ""))) + "</note>"

    def _tone(self, pitch: int, tick: int) -> Spelling | None:
        """The spelling of a pitch as a tone of the chord at a tick, in a part that is spelled by chords."""
        if not self._spelled:
            return None
        place = bisect_right(self._chords, tick, key=lambda pair: pair[0]) - 1
        return self._spelled[place].tone(pitch, self._chords[place][1]) if place >= 0 else None


def _pitch(spelling: Spelling, *, states_natural: bool) -> str:
    alter = f"<alter>{spelling.alter}</alter>" if spelling.alter or states_natural else ""
    return f"<pitch><step>{spelling.step}</step>{alter}<octave>{spelling.octave}</octave></pitch>"


def _accidental(sign: tuple[str, bool] | None) -> str:
    if sign is None:
        return ""
    name, is_cautionary = sign
    return f'<accidental cautionary="yes">{name}</accidental>' if is_cautionary else f"<accidental>{name}</accidental>"


def _lyric(text: str) -> str:
    return f"<lyric><syllabic>single</syllabic><text>{escape(text)}</text></lyric>" if text else ""


def _ties(tag: str, symbol: Symbol) -> str:
    from_before, to_after = symbol.tied
    return (f'<{tag} type="stop"/>' if from_before else "") + (f'<{tag} type="start"/>' if to_after else "")


def _appearance(symbol: Symbol, accidental: str, *, is_first: bool = True) -> str:
    """The elements after the voice: type, dots, accidental, triplet, beams, notations."""
    if symbol.value is None:
        return ""
    kind = f"<type>{symbol.value.kind}</type>{'<dot/>' * symbol.value.dots}"
    beams = "".join(
        f'<beam number="{level}">{state}</beam>' for level, state in enumerate(symbol.beams, start=1) if is_first
    )
    notations = _ties("tied", symbol) + (_bracket(symbol) if is_first else "")
    notations = f"<notations>{notations}</notations>" if notations else ""
    return kind + accidental + _time_modification(symbol.triplet) + beams + notations


def _time_modification(triplet: Triplet | None) -> str:
    if triplet is None:
        return ""
    third = value_of(triplet.span // 3, triplet=True)
    assert third is not None
    return (
        "<time-modification><actual-notes>3</actual-notes><normal-notes>2</normal-notes>"
        f"<normal-type>{third.kind}</normal-type></time-modification>"
    )


def _bracket(symbol: Symbol) -> str:
    opens, closes = symbol.triplet_edges
    return ('<tuplet type="start" number="1"/>' if opens else "") + (
        '<tuplet type="stop" number="1"/>' if closes else ""
    )
