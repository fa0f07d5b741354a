"""Engraved scores as SVG, through verovio.

Verovio reads only MusicXML from `musicxml_writer`: with foreign files it leaks state from one score to the next and can
crash the process. Each call has a toolkit of its own (3 ms), so that calls are independent.

Verovio's drawing is post-processed into one self-contained sheet: its pages are joined; the notes of metronome marks
and the accidentals of chord symbols become outlines, since they need an embedded music font of 60 KB; random ids and
fixed colours are removed. Verovio also fills line after line, so that eight bars become six and two: here lines break
at phrases of four or eight bars where these fit, else into lines of about equal width.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Self
from xml.etree import ElementTree

import verovio

from cantilena.errors import UsageError
from cantilena.io.notation.musicxml_harmony import HIDDEN_SEVENTH
from cantilena.io.notation.musicxml_writer import Head, musicxml_with_heads
from cantilena.io.printable import printable
from cantilena.io.timing import tick_to_seconds
from cantilena.music import Melody, Note

verovio.enableLog(verovio.LOG_OFF)  # it warns on stderr of each crowded bar
_RESOURCES = Path(verovio.__file__).parent / "data"  # its fonts
_OPTIONS: dict[str, object] = {
    "adjustPageHeight": True,
    "footer": "none",
    "header": "none",
    "minLastJustification": 0.65,
    "pageHeight": 5000,  # a dozen systems; layout time grows with the square of it, and the pages are joined anyway
    "pageMarginBottom": 0,
    "pageMarginLeft": 0,
    "pageMarginRight": 0,
    "pageMarginTop": 0,
    "smuflTextFont": "none",
    "svgFormatRaw": True,
    "svgViewBox": True,
}

_NARROWEST, _WIDEST = 200, 4000  # pixels
_MARGIN = 20.0  # pixels
_TITLE_SIZE, _SOURCE_SIZE = 22.0, 12.0
_OVER_CHORDS, _NEAR = (
    460.0,
    1200.0,
)  # from chord symbols to a metronome mark; within a line, in a drawing
_UNITS_PER_PIXEL = 2.25  # verovio's page units; a staff is 32 pixels high
_SCALE = 10  # coordinates inside verovio's drawing in a page unit
_CLEF_AND_METER, _SHARP_OR_FLAT = 130, 18  # page units before the notes of a line

# In the drawing's coordinates, where a staff space is 180: how far symbols reach below the point where they are placed,
# half a note head, and the size of lyrics.
_BELOW, _HALF_HEAD, _LYRIC_SIZE = 250, 106, 270

_PHRASES = (8, 4)  # bars
_TIGHTER = 1.12  # how far beyond its natural spacing a line may be filled to hold a phrase
_MOST_PHRASED_BARS = 200  # longer scores break where verovio says, which takes half the time

_TIMES_WIDTHS = {
    **dict.fromkeys("ADGN", 722), **dict.fromkeys("BC", 667), "E": 611, "F": 556, "m": 778, "a": 444, "s": 389,
    "i": 278, "j": 278, "/": 278, ".": 250, "+": 564, "(": 333, ")": 333,
}  # fmt: skip
"""Widths of the letters of chord symbols on a thousand units, as in the Adobe font metrics of Times-Roman; else 500."""

_ACCIDENTAL_SIZE = 1.3  # those of chord symbols, beside verovio's

_NOT_DRAWN = {"placeholder", "pageMilestone", "systemMilestone", "pageMilestoneEnd", "systemMilestoneEnd"}
_HEIGHTS = re.compile(r"-?\d+(?:\.\d+)?[ ,]+(-?\d+)")
_LINE = re.compile(r"[ML](-?\d+) ")
# Colours of the light and the dark scheme; renderers without media queries take the light one.
_INK, _PAPER = "#1b1a18", "#ffffff"
_STYLE = (
    "@media (prefers-color-scheme: dark) {"
    " .cantilena-score { color: #ece8e1; } .cantilena-score > .paper { fill: #1e1d1b; } }"
)


@dataclass(frozen=True, slots=True)
class TimedHead:
    """When one note head of a score sounds.

    Args:
        id: the `id` of its group in the SVG, whose class is `note`.
        note: index in `melody.sounding` of the note that it shows; a tied note has several heads, one after another.
        onset: seconds from the start of the melody.
        end: seconds likewise, of this head alone.
    """

    id: str
    note: int
    onset: float
    end: float


@dataclass(frozen=True, slots=True)
class Engraving:
    """An engraved score.

    Args:
        svg: the score as SVG text.
        timemap: its note heads in order of time.
    """

    svg: str
    timemap: tuple[TimedHead, ...]


@dataclass(frozen=True, slots=True)
class NoteAnnotation:
    """What is added to one note of a score.

    Args:
        words: text under the note, or "".
        kind: a CSS class for the note's heads, stems and words besides `note`, such as `gain`.
        room: a wider text that a page may show there later; space is reserved for it.
    """

    words: str = ""
    kind: str = ""
    room: str = ""


def score_svg(melody: Melody, *, width: int = 800, heading: bool = True, lower: Sequence[Note] = ()) -> str:
    """Engrave a melody and its chord symbols as SVG.

    Args:
        melody: the melody.
        width: pixels, 200 to 4,000; the height follows from the content.
        heading: whether title and source stand above.
        lower: notes of a second staff under it, such as those of `accompaniment`.

    Returns:
        A self-contained SVG, the same for the same melody; it follows the reader's light or dark colour scheme.

    Raises:
        UsageError: the width is out of range, or there are more than 50,000 bars.

    Examples:
        >>> score_svg(Melody.from_pitches([(60, 24), (62, 24), (64, 48)])).count('class="note"')
        3
    """
    return score_with_timemap(melody, width=width, heading=heading, lower=lower).svg


def score_with_timemap(
    melody: Melody,
    *,
    width: int = 800,
    heading: bool = True,
    annotations: Mapping[int, NoteAnnotation] | None = None,
    style: str = "",
    lower: Sequence[Note] = (),
) -> Engraving:
    """Engrave a melody, and return when each note head sounds, so that a player's cursor can follow.

    Args:
        melody: the melody.
        width: pixels, 200 to 4,000.
        heading: whether title and source stand above.
        annotations: what is added to notes, by index in `melody.sounding`; no two of these may begin together.
        style: CSS rules for the classes of the annotations.
        lower: notes of a second staff under it, which the timemap does not hold.

    Examples:
        >>> engraving = score_with_timemap(Melody.from_pitches([(60, 24), (62, 96)]))
        >>> [(head.note, head.onset, head.end) for head in engraving.timemap]
        [(0, 0.0, 0.5), (1, 0.5, 2.0), (1, 2.0, 2.5)]
    """
    if not _NARROWEST <= width <= _WIDEST:
        raise UsageError(
            f"a score must be {_NARROWEST} to {_WIDEST} pixels wide, got {width} pixels", "give another width"
        )
    annotations = annotations or {}
    # Verovio leaves space for lyrics a letter longer than the widest text.
    widest = {note: max(printable(one.words), printable(one.room), key=len) for note, one in annotations.items()}
    lyrics = {note: f"{text}–" for note, text in widest.items() if text}
    document, _ = musicxml_with_heads(melody, lyrics=lyrics, lower=lower)
    # Ids carry a hash of the score: the same score gives the same SVG, and two scores can share a page.
    seed = zlib.crc32(f"{width} {heading} {document}".encode()) % 2**31 or 1
    prefix = f"n{seed:08x}-"
    room = round((width - 2 * _MARGIN) * _UNITS_PER_PIXEL)
    verovio.setDefaultResourcePath(str(_RESOURCES))  # per thread; importing sets it for one thread alone
    toolkit, breaks = verovio.toolkit(), []
    if melody.bars <= _MOST_PHRASED_BARS:
        signs = _CLEF_AND_METER + _SHARP_OR_FLAT * abs(melody.key.fifths if melody.key else 0)
        line = _pages(toolkit, document, breaks="none", adjustPageWidth=True, xmlIdSeed=seed)
        first, *others = (bar for page in line for bar in page.bar_widths())
        has_pickup = melody.pickup % melody.meter.ticks_per_bar > 0
        breaks = line_breaks([first - signs, *others], room - signs, has_pickup=has_pickup)
    document, heads = musicxml_with_heads(melody, prefix, breaks, lyrics, lower)
    layout = {"breaks": "line" if breaks else "auto", "adjustPageWidth": False, "pageWidth": room, "xmlIdSeed": seed}
    pages = _pages(toolkit, document, **layout)
    for page in pages if annotations else ():
        _annotate(page.content, heads, annotations)
    title, source = (printable(melody.title), printable(melody.source)) if heading else ("", "")
    svg = _sheet(pages, width, keep_ids=prefix, title=title, source=source, style=style)
    seconds = tick_to_seconds(melody.tempo)
    timemap = tuple(TimedHead(head.id, head.note, seconds(head.start), seconds(head.end)) for head in heads)
    return Engraving(svg, timemap)


def line_breaks(widths: Sequence[float], room: float, *, has_pickup: bool) -> list[int]:
    """Choose the bars that begin a new line.

    Args:
        widths: width of each bar at its natural spacing.
        room: the width of a line, in the same unit.
        has_pickup: whether the first bar is a pickup, which joins the line of the bar after it.

    Returns:
        Indices of bars, ascending, without the first.

    Examples:
        >>> line_breaks([2.0] * 8, room=13.0, has_pickup=False)
        [4]
        >>> line_breaks([3.0] * 7, room=10.0, has_pickup=False)
        [3, 5]
    """
    bars = len(widths) - has_pickup
    for phrase in _PHRASES:
        breaks = list(range(phrase + has_pickup, len(widths), phrase))
        fits = all(sum(widths[a:b]) <= _TIGHTER * room for a, b in pairwise((0, *breaks, len(widths))))
        if fits and (bars % phrase == 0 or (phrase == 4 and bars % phrase > 1)):
            return breaks
    # As few lines as possible, and of those ways the one whose lines leave least room, squared and summed.
    upto = [0.0, *accumulate(widths)]
    best: list[tuple[int, float, int]] = [(0, 0.0, 0)]  # lines, badness, minus where the last line begins
    for end in range(1, len(upto)):
        choices = []
        for start in range(end - 1, -1, -1):
            width = upto[end] - upto[start]
            if width > room and start < end - 1:
                break
            lines, badness, _ = best[start]
            choices.append((lines + 1, badness + (room - width) ** 2, -start))
        best.append(min(choices))
    breaks, end = [], len(widths)
    while (end := -best[end][2]) > 0:
        breaks.append(end)
    return breaks[::-1]


@dataclass(frozen=True, slots=True)
class _Page:
    """One page as verovio drew it: the drawing, the glyphs of the music font that it uses, its height in page units."""

    content: ElementTree.Element
    glyphs: tuple[ElementTree.Element, ...]
    height: float

    @classmethod
    def parse(cls, svg: str) -> Self:
        """Take apart the output of `renderToSVG` (with `svgViewBox` and `svgFormatRaw`)."""
        # Names without namespaces are easier to work with; the sheet declares them again.
        plain = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href=", "href=")
        root = ElementTree.fromstring(plain)  # noqa: S314  (verovio's own output)
        drawing = root.find("svg/g")
        assert drawing is not None
        for parent in drawing.iter():
            for child in [one for one in parent if set(one.get("class", "").split()) & _NOT_DRAWN]:
                parent.remove(child)
        lowest = max((float(y) for part in drawing.iter() for y in _HEIGHTS.findall(_geometry(part))), default=0)
        return cls(drawing, tuple(root.iterfind("defs/g")), (lowest + _BELOW) / _SCALE)

    def bar_widths(self) -> list[float]:
        """Return the width of each bar in page units: the length of its first staff line."""
        lines = (bar.find(".//g[@class='staff']/path") for bar in self.content.iterfind(".//g[@class='measure']"))
        ends = ([float(x) for x in _LINE.findall(line.attrib["d"])] for line in lines if line is not None)
        return [(right - left) / _SCALE for left, right in ends]


def _pages(toolkit: verovio.toolkit, document: str, **options: object) -> list[_Page]:
    toolkit.setOptions({**_OPTIONS, **options})
    toolkit.setInputFrom("musicxml")
    if not toolkit.loadData(document.replace(HIDDEN_SEVENTH, "")):  # verovio prints it all the same
        raise UsageError("this melody cannot be engraved", "write it as .musicxml and report it")
    return [_Page.parse(toolkit.renderToSVG(number)) for number in range(1, toolkit.getPageCount() + 1)]


def _geometry(element: ElementTree.Element) -> str:
    """The coordinates of one element as they stand, x before y."""
    transform = element.get("transform", "").partition(")")[0].removeprefix("translate(")
    return " ".join((element.get("d", ""), element.get("points", ""), transform))


def _sheet(pages: Sequence[_Page], width: int, *, keep_ids: str, title: str, source: str, style: str) -> str:
    """Join pages, whose elements are changed, under a heading; of the ids only those with a prefix are kept."""
    head, top = _heading(title, source, width)
    glyphs, body = {}, []
    for page in pages:
        glyphs.update({glyph.attrib["id"]: glyph for glyph in page.glyphs})
        top += _raise_tempo_marks(page.content) / _SCALE / _UNITS_PER_PIXEL
        _clean(page.content, keep_ids)
        scale = 1 / _SCALE / _UNITS_PER_PIXEL
        page.content.set("transform", f"translate({_MARGIN:g} {top:.2f}) scale({scale:.6f})")
        body.append(page.content)
        top += page.height / _UNITS_PER_PIXEL
    height = round(top + _MARGIN)
    sheet = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "xmlns:xlink": "http://www.w3.org/1999/xlink",
            "class": "cantilena-score",
            "width": str(width),
            "height": str(height),
            "viewBox": f"0 0 {width} {height}",
            "role": "img",
            "color": _INK,
            "fill": "currentColor",
            "stroke": "currentColor",
            "stroke-width": "0",
            "font-family": "Times, 'Times New Roman', 'Liberation Serif', serif",
        },
    )
    ElementTree.SubElement(sheet, "title").text = title or "Score"
    ElementTree.SubElement(sheet, "style").text = f"{_STYLE} {style}".rstrip()
    ElementTree.SubElement(sheet, "defs").extend(glyphs.values())
    ElementTree.SubElement(sheet, "rect", {"class": "paper", "width": "100%", "height": "100%", "fill": _PAPER})
    sheet.extend([*head, *body])
    return ElementTree.tostring(sheet, encoding="unicode") + "\n"


def _heading(title: str, source: str, width: int) -> tuple[list[ElementTree.Element], float]:
    """The lines above the score, and where the score begins."""
    lines, top = [], _MARGIN
    for text, size, style in ((title, _TITLE_SIZE, {}), (source, _SOURCE_SIZE, {"font-style": "italic"})):
        if not text:
            continue
        room = int((width - 2 * _MARGIN) / (0.5 * size))  # a serif letter is about half as wide as high
        top += size
        place = {"x": f"{width / 2:g}", "y": f"{top:g}", "text-anchor": "middle", "font-size": f"{size:g}"}
        line = ElementTree.Element("text", {**place, **style})
        line.text = text if len(text) <= room else text[: room - 1].rstrip() + "…"
        lines.append(line)
        top += 0.4 * size
    return lines, top


def _raise_tempo_marks(content: ElementTree.Element) -> float:
    """Raise metronome marks over the chord symbols of their line, and return by how much the first one is raised."""
    chords = [float(text.attrib["y"]) for text in content.iterfind(".//g[@class='harm']/text") if "y" in text.attrib]
    raised: list[float] = []
    for text in content.iterfind(".//g[@class='tempo']/text"):
        y = float(text.get("y", "nan"))  # there is none where verovio drew nothing
        near = [chord for chord in chords if abs(chord - y) < _NEAR]
        if near:
            raised.append(max(y - min(near) + _OVER_CHORDS, 0.0))
            text.set("y", f"{y - raised[-1]:g}")
    return raised[0] if raised else 0.0


def _clean(element: ElementTree.Element, keep_ids: str) -> None:
    """Drop other ids and empty groups, and draw metronome marks and chord symbols, at all depths."""
    if not element.get("id", keep_ids).startswith(keep_ids):
        del element.attrib["id"]
    if reference := element.attrib.pop("href", None):
        element.set("xlink:href", reference)
    kind = element.get("class", "").split()[:1]
    if kind == ["mNum"]:
        element.set("font-style", "italic")
    if kind == ["tempo"]:
        element[:] = _tempo_mark(element)
        return
    if kind == ["harm"]:
        element[:] = _chord_symbol(element)
        return
    for child in list(element):
        _clean(child, keep_ids)
        if child.tag == "g" and len(child) == 0:
            element.remove(child)


def _tempo_mark(mark: ElementTree.Element) -> list[ElementTree.Element]:
    """A metronome mark whose note is an outline instead of a letter of a music font."""
    text = mark.find("text")
    if text is None or "y" not in text.attrib:  # verovio drew nothing there
        return []
    x, y = float(text.attrib["x"]), text.attrib["y"]
    drawn, words, size = [], "", "405px"
    for span in text.iter("tspan"):
        letters, size = span.text or "", span.get("font-size", size)
        if span.get("font-family") is None:
            words += letters
            continue
        outlines, x = _outlines(letters, x, y, float(size.removesuffix("px")))
        drawn += outlines
    x += 0.2 * float(size.removesuffix("px"))  # a space; leading spaces of a text are not drawn
    label = ElementTree.Element("text", {"x": f"{x:g}", "y": y, "font-size": size, "font-weight": "bold"})
    label.text = " ".join(words.split())
    return [*drawn, label]


def _chord_symbol(symbol: ElementTree.Element) -> list[ElementTree.Element]:
    """A chord symbol whose accidentals are outlines; its words have the width of Times, whatever font is there."""
    text = symbol.find("text")
    if text is None or "y" not in text.attrib:
        return []
    x, y = float(text.attrib["x"]), text.attrib["y"]
    drawn = []
    for span in text.iter("tspan"):
        letters, size = span.text or "", float(span.get("font-size", "405px").removesuffix("px"))
        if not letters.strip():
            continue
        if span.get("font-family") is not None:
            outlines, x = _outlines(letters, x, y, size * _ACCIDENTAL_SIZE)
            drawn += outlines
            continue
        width = sum(_TIMES_WIDTHS.get(letter, 500) for letter in letters) * size / 1000
        place = {"x": f"{x:g}", "y": y, "font-size": f"{size:g}px"}
        word = ElementTree.Element("text", {**place, "textLength": f"{width:g}", "lengthAdjust": "spacingAndGlyphs"})
        word.text = letters
        drawn.append(word)
        x += width
    return drawn


def _outlines(letters: str, x: float, y: str, size: float) -> tuple[list[ElementTree.Element], float]:
    """Glyphs of the music font as outlines from a place on, and where the next letter would stand."""
    scale = size / 1000  # glyphs are drawn on a thousand units
    drawn = []
    for letter in letters:
        outline, advance = _glyph(f"{ord(letter):04X}")
        drawn.append(
            ElementTree.Element(
                "path", {"d": outline, "transform": f"translate({x:g} {y}) scale({scale:g} {-scale:g})"}
            )
        )
        x += advance * scale
    return drawn, x


@lru_cache
def _glyph(code: str) -> tuple[str, float]:
    """Outline and width of a glyph of verovio's music font, from the file that verovio itself reads."""
    outline = re.search(r' d="([^"]*)"', (_RESOURCES / "Leipzig" / f"{code}.xml").read_text(encoding="utf-8"))
    width = re.search(rf'<g c="{code}"[^>]*h-a-x="([\d.]+)"', (_RESOURCES / "Leipzig.xml").read_text(encoding="utf-8"))
    return outline[1] if outline else "", float(width[1]) if width else 0.0


def _annotate(drawing: ElementTree.Element, heads: Sequence[Head], annotations: Mapping[int, NoteAnnotation]) -> None:
    """Give the annotated notes of a drawing their class, `data-note`, and their words centred under the head."""
    by_id = {head.id: head.note for head in heads if head.note in annotations}
    for group in drawing.iter("g"):
        note = by_id.get(group.get("id", ""))
        if note is None or group.get("class") != "note":
            continue
        group.set("class", f"note {annotations[note].kind}".rstrip())
        group.set("data-note", str(note))
        for verse in group.findall("g[@class='verse']"):
            placed, head = verse.find(".//text"), group.find("g[@class='notehead']/use")
            assert placed is not None
            assert head is not None
            left = re.match(r"translate\((-?[\d.]+)", head.attrib["transform"])
            assert left is not None
            text = ElementTree.Element(
                "text",
                {
                    "class": "words",
                    "x": f"{float(left[1]) + _HALF_HEAD:g}",
                    "y": placed.attrib["y"],
                    "text-anchor": "middle",
                    "font-size": f"{_LYRIC_SIZE}px",
                },
            )
            text.text = printable(annotations[note].words)
            group.remove(verse)
            group.append(text)
