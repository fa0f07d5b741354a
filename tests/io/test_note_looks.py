"""Words and classes on the notes of a score: under their heads, on every tied head, and harmless."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from cantilena.io import NoteLook, score_svg, score_with_timemap
from cantilena.music import Melody

SVG = "{http://www.w3.org/2000/svg}"

TUNE = Melody.from_pitches([(60, 6), (62, 6), (64, 6), (65, 6), (67, 120), (None, 24), (72, 24)])
LOOKS = {0: NoteLook("+12", "gain"), 1: NoteLook("−100", "loss"), 4: NoteLook("+3", "gain"), 5: NoteLook("0")}


def notes(svg: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(svg).iter(f"{SVG}g") if one.get("class", "").split()[:1] == ["note"]]


def words(note: ElementTree.Element) -> ElementTree.Element | None:
    return note.find(f"{SVG}text[@class='words']")


def test_each_note_gets_its_class_and_the_first_of_tied_heads_the_words() -> None:
    engraving = score_with_timemap(TUNE, looks=LOOKS)
    drawn = {one.attrib["id"]: one for one in notes(engraving.svg)}
    assert len(drawn) == len(engraving.timemap) == 7  # the long note is written as two that are tied
    seen: set[int] = set()
    for head in engraving.timemap:
        note, look = drawn[head.id], LOOKS.get(head.note, NoteLook())
        assert note.get("data-note") == (str(head.note) if head.note in LOOKS else None)
        assert note.get("class") == f"note {look.kind}".strip()
        text = words(note)
        assert (text.text if text is not None else "") == ("" if head.note in seen else look.words)
        seen.add(head.note)
    assert seen == {0, 1, 2, 3, 4, 5}


def test_words_stand_in_the_middle_under_their_heads_on_one_line() -> None:
    lines = set()
    for note in notes(score_svg_with_looks()):
        text = words(note)
        head = note.find(f"{SVG}g[@class='notehead']/{SVG}use")
        assert head is not None
        if text is not None:
            x, y = map(float, re.findall(r"translate\(([\d.-]+), ([\d.-]+)\)", head.attrib["transform"])[0])
            assert 0 < float(text.attrib["x"]) - x < 212  # the width of a head
            assert float(text.attrib["y"]) > y
            assert text.get("text-anchor") == "middle"
            lines.add(text.attrib["y"])
    assert len(lines) == 1


def score_svg_with_looks(**options: str) -> str:
    return score_with_timemap(TUNE, looks=LOOKS, **options).svg  # type: ignore[arg-type]


def test_room_is_made_for_wide_words() -> None:
    wide = {index: NoteLook("−100.25") for index in range(4)}

    def distance(svg: str) -> float:
        xs = [
            float(re.findall(r"translate\(([\d.-]+)", head.attrib["transform"])[0])
            for note in notes(svg)[:2]
            if (head := note.find(f"{SVG}g[@class='notehead']/{SVG}use")) is not None
        ]
        return xs[1] - xs[0]

    assert distance(score_with_timemap(TUNE, looks=wide).svg) > distance(score_with_timemap(TUNE).svg) + 200


def test_styles_are_added_and_nothing_changes_without_looks() -> None:
    assert ".gain { color: teal; }" in score_svg_with_looks(style=".gain { color: teal; }")
    assert score_with_timemap(TUNE).svg == score_svg(TUNE)
    assert score_with_timemap(TUNE, looks={}).svg == score_svg(TUNE)
    assert score_svg_with_looks() == score_svg_with_looks()


def test_hostile_words_do_no_harm() -> None:
    looks = {0: NoteLook("</text><script>\x00&", 'a" onclick="x'), 1: NoteLook("\x00"), 99: NoteLook("nobody")}
    svg = score_with_timemap(TUNE, looks=looks).svg
    first, second, *_ = notes(svg)
    text = words(first)
    assert text is not None
    assert text.text is not None
    assert text.text.startswith("</text><script>")
    assert first.get("onclick") is None
    assert words(second) is None
