"""Melodies as MusicXML 4.0, partwise: what notation programs open.

One staff, one voice; `notation.py` says how a melody becomes bars. A pickup is an implicit measure, numbered 0. The
division is our tick, 24 a quarter note, so that no duration is rounded. Pitches below MIDI 12 get the octave -1, which
programs read though the standard stops at 0.

What a page adds to the notes of a score: words under them, and a class by which a style colours them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from cantilena.errors import __version__
from cantilena.io.engraving.notation import Bar, Chord, Symbol, best_clef, notated, voice
from cantilena.io.engraving.note_values import Triplet, value_of
from cantilena.io.engraving.spelling import Accidentals, Spelling, spelled
from cantilena.io.printable import printable
from cantilena.music import TICKS_PER_QUARTER, Key, Melody, find_key

_MOST_TEMPO_MARKS = 4  # a piece that was played has hundreds of changes: they sound, but nobody wants to read them


@dataclass(frozen=True, slots=True)
class Head:
    """One written note head; a tied or struck-together note has several.

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


def musicxml(melody: Melody) -> str:
    """Write a melody as MusicXML.

    Args:
        melody: the melody. Overlapping notes are cut where the next begins; the rest is as it is.

    Returns:
        The document; the same for the same melody.

    Raises:
        UsageError: more bars than a score can hold.

    Example:
        >>> text = musicxml(Melody.from_pitches([(60, 24), (62, 24), (64, 48)], title="Three notes"))
        >>> text.count("<note>"), "<work-title>Three notes</work-title>" in text
        (3, True)
    """
    return musicxml_with_heads(melody)[0]


def musicxml_with_heads(
    melody: Melody, prefix: str = "", new_lines: Collection[int] = (), words: Mapping[int, str] | None = None
) -> tuple[str, tuple[Head, ...]]:
    """Write a melody as MusicXML, and say which note head shows which note.

    Args:
        melody: the melody.
        prefix: what the `id` of every note begins with; notes have none where it is empty.
        new_lines: indices of the bars that begin a new line.
        words: what stands under a note, where it begins, by its index in `melody.sounding`.
    """
    chords = voice(melody)
    bars = notated(melody, chords)
    writer = _Writer(melody, chords, prefix, words or {})
    lines = [*_head(melody), '<part id="P1">']
    first_number = int(bars[0].is_whole)
    for index, bar in enumerate(bars):
        lines += writer.measure(
            bar, first_number + index, is_last=index == len(bars) - 1, on_new_line=index in new_lines
        )
    lines += ["</part>", "</score-partwise>", ""]
    return "\n".join(lines), tuple(writer.heads)


def _head(melody: Melody) -> Iterator[str]:
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
    yield '<part-list><score-part id="P1"><part-name print-object="no">Melody</part-name>'
    yield '<score-instrument id="P1-I1"><instrument-name>Piano</instrument-name></score-instrument>'
    yield '<midi-instrument id="P1-I1"><midi-channel>1</midi-channel><midi-program>1</midi-program></midi-instrument>'
    yield "</score-part></part-list>"


class _Writer:
    """Writes measures from left to right."""

    def __init__(self, melody: Melody, chords: Sequence[Chord], prefix: str, words: Mapping[int, str]) -> None:
        self.melody, self.chords, self.prefix, self.words = melody, chords, prefix, words
        self.heads: list[Head] = []
        self._key = melody.key or find_key(melody) or Key()  # for the spelling; an unknown key has no signature
        self._signature = melody.key.fifths if melody.key else 0
        self._accidentals = Accidentals(self._signature)
        # Some readers join tied notes only where both or neither say that they are natural.
        self._naturals: set[tuple[int, int]] = set()
        self._tempos = list(melody.tempo.changes)
        self._shows_tempos = len(self._tempos) <= _MOST_TEMPO_MARKS

    def measure(self, bar: Bar, number: int, *, is_last: bool, on_new_line: bool) -> Iterator[str]:
        """One measure."""
        self._accidentals.barline()
        implicit = "" if bar.is_whole else ' implicit="yes"'
        yield f'<measure number="{number}"{implicit}>'
        if on_new_line:
            yield '<print new-system="yes"/>'
        if bar.start == 0:
            yield from self._attributes()
        for symbol in bar.symbols:
            while self._tempos and self._tempos[0][0] < symbol.start + symbol.duration:
                yield self._tempo(*self._tempos.pop(0), symbol.start)
            yield from self._symbol(symbol, is_whole_bar=symbol.value is None)
        if is_last:
            yield '<barline location="right"><bar-style>light-heavy</bar-style></barline>'
        yield "</measure>"

    def _attributes(self) -> Iterator[str]:
        meter, key = self.melody.meter, self.melody.key
        yield f"<attributes><divisions>{TICKS_PER_QUARTER}</divisions>"
        if key is not None:
            yield f"<key><fifths>{key.fifths}</fifths><mode>{key.mode}</mode></key>"
        yield f"<time><beats>{meter.numerator}</beats><beat-type>{meter.denominator}</beat-type></time>"
        clef = best_clef([pitch for chord in self.chords for pitch in chord.pitches])
        octaves = f"<clef-octave-change>{clef.octaves}</clef-octave-change>" if clef.octaves else ""
        yield f"<clef><sign>{clef.sign}</sign><line>{clef.line}</line>{octaves}</clef></attributes>"

    def _tempo(self, tick: int, rate: float, now: int) -> str:
        late = max(tick - now, 0)
        offset = f"<offset>{late}</offset>" if late else ""
        quarters = f"{rate:.4f}".rstrip("0").rstrip(".")
        if tick and not self._shows_tempos:
            return f'<sound tempo="{quarters}">{offset}</sound>' if late else f'<sound tempo="{quarters}"/>'
        beat = self.melody.meter.ticks_per_beat
        value = value_of(beat)
        assert value is not None
        per_minute = max(round(rate * TICKS_PER_QUARTER / beat), 1)
        return (
            '<direction placement="above"><direction-type><metronome>'
            f"<beat-unit>{value.kind}</beat-unit>{'<beat-unit-dot/>' * value.dots}<per-minute>{per_minute}</per-minute>"
            f'</metronome></direction-type>{offset}<sound tempo="{quarters}"/></direction>'
        )

    def _symbol(self, symbol: Symbol, *, is_whole_bar: bool) -> Iterator[str]:
        if symbol.is_rest:
            rest = '<rest measure="yes"/>' if is_whole_bar else "<rest/>"
            yield f"<note>{rest}<duration>{symbol.duration}</duration><voice>1</voice>{_look(symbol, '')}</note>"
            return
        chord = self.chords[symbol.chord]
        for index, (pitch, source) in enumerate(zip(chord.pitches, chord.sources, strict=True)):
            name = f"{self.prefix}{len(self.heads)}"
            self.heads.append(Head(name, source, symbol.start, symbol.start + symbol.duration))
            spelling = spelled(pitch, self._key, self._resolution(symbol.chord, pitch))
            sign = self._accidentals.sign(spelling, tied=symbol.tied[0])
            if not symbol.tied[0] and sign and spelling.alter == 0:
                self._naturals.add((symbol.chord, pitch))
            says_natural = symbol.tied[0] and (symbol.chord, pitch) in self._naturals
            yield f'<note id="{name}">' if self.prefix else "<note>"
            yield "<chord/>" * (index > 0) + _pitch(spelling, says_natural=says_natural)
            yield f"<duration>{symbol.duration}</duration>{_ties('tie', symbol)}<voice>1</voice>"
            yield _look(symbol, _accidental(sign), is_first=index == 0)
            yield ("" if symbol.tied[0] else _lyric(self.words.get(source, ""))) + "</note>"

    def _resolution(self, index: int, pitch: int) -> int | None:
        """The pitch a semitone away that a pitch moves on to without a rest between."""
        if index + 1 == len(self.chords) or self.chords[index + 1].start > self.chords[index].end:
            return None
        return next((other for other in self.chords[index + 1].pitches if abs(other - pitch) == 1), None)


def _pitch(spelling: Spelling, *, says_natural: bool) -> str:
    alter = f"<alter>{spelling.alter}</alter>" if spelling.alter or says_natural else ""
    return f"<pitch><step>{spelling.step}</step>{alter}<octave>{spelling.octave}</octave></pitch>"


def _accidental(sign: tuple[str, bool] | None) -> str:
    if sign is None:
        return ""
    name, reminds = sign
    return f'<accidental cautionary="yes">{name}</accidental>' if reminds else f"<accidental>{name}</accidental>"


def _lyric(words: str) -> str:
    return f"<lyric><syllabic>single</syllabic><text>{escape(words)}</text></lyric>" if words else ""


def _ties(tag: str, symbol: Symbol) -> str:
    from_before, to_after = symbol.tied
    return (f'<{tag} type="stop"/>' if from_before else "") + (f'<{tag} type="start"/>' if to_after else "")


def _look(symbol: Symbol, accidental: str, *, is_first: bool = True) -> str:
    """What follows the voice: type, dots, accidental, triplet, beams, notations."""
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


_HALF_A_HEAD = 106  # in the drawing's coordinates, where a staff space is 180
_LETTERS = 270  # how high they are, smaller than the room that verovio leaves for them


@dataclass(frozen=True, slots=True)
class NoteLook:
    """What is added to one note of a score.

    Args:
        words: stand under it; room is left for them. Nothing if empty.
        kind: a class that the note's heads, stems and words get beside `note`, such as `gain`.
        room: wider words that a page may put there later, for which room is left too.
    """

    words: str = ""
    kind: str = ""
    room: str = ""


def room_for_words(looks: Mapping[int, NoteLook]) -> dict[int, str]:
    """Words a letter longer than those that may stand there, by note: room that an engraver leaves under each."""
    widest = {note: max(printable(look.words), printable(look.room), key=len) for note, look in looks.items()}
    return {note: f"{words}–" for note, words in widest.items() if words}


def dress(drawing: ElementTree.Element, heads: Sequence[Head], looks: Mapping[int, NoteLook]) -> None:
    """Give the notes of a drawing their looks: a class, the attribute `data-note`, and words centred under the head.

    Args:
        drawing: what verovio drew; it is changed.
        heads: which head shows which note.
        looks: by the index of the note.
    """
    by_id = {head.id: head.note for head in heads if head.note in looks}
    for group in drawing.iter("g"):
        note = by_id.get(group.get("id", ""))
        if note is None or group.get("class") != "note":
            continue
        group.set("class", f"note {looks[note].kind}".rstrip())
        group.set("data-note", str(note))
        for verse in group.findall("g[@class='verse']"):
            group.remove(verse)
            group.append(_centred(verse, group, printable(looks[note].words)))


def _centred(verse: ElementTree.Element, note: ElementTree.Element, words: str) -> ElementTree.Element:
    """The words as verovio placed them, but in the middle under the head."""
    placed, head = verse.find(".//text"), note.find("g[@class='notehead']/use")
    assert placed is not None
    assert head is not None
    left = re.match(r"translate\((-?[\d.]+)", head.attrib["transform"])
    assert left is not None
    text = ElementTree.Element(
        "text",
        {
            "class": "words",
            "x": f"{float(left[1]) + _HALF_A_HEAD:g}",
            "y": placed.attrib["y"],
            "text-anchor": "middle",
            "font-size": f"{_LETTERS}px",
        },
    )
    text.text = words
    return text
