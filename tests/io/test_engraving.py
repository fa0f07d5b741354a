"""Engraved scores: self-contained, repeatable, and each note head in its place and time."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from cantilena.errors import UsageError
from cantilena.io import NoteAnnotation, accompaniment, musicxml, score_svg, score_with_timemap
from cantilena.music import Chord, Key, Melody, Meter, Note, Tempo

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}"

TUNE = Melody.from_pitches(
    [(67, 24), (72, 8), (74, 8), (76, 8), ((60, 64, 67), 60), (None, 24), (66, 12), (61, 30), (72, 90)],
    key=Key.parse("Bb major"),
    meter=Meter(3, 4),
    pickup=24,
    tempo=Tempo(((0, 60.0), (96, 120.0))),
    title="A tune & more",
    source="Our own, no. 1",
)


def drawing(melody: Melody, **options: int | bool) -> ElementTree.Element:
    return ElementTree.fromstring(score_svg(melody, **options))


def heads(root: ElementTree.Element) -> dict[str, tuple[float, float]]:
    """Where each note head is drawn, by its id, which those of a lower staff lack; in the coordinates of its page."""
    found = {}
    for note in root.iter(f"{SVG}g"):
        if note.get("class") == "note":
            use = note.find(f"{SVG}g[@class='notehead']/{SVG}use")
            assert use is not None
            place = re.match(r"translate\(([\d.-]+), ([\d.-]+)\)", use.attrib["transform"])
            assert place is not None
            found[note.get("id", f"lower {len(found)}")] = float(place[1]), float(place[2])
    return found


def test_every_note_head_is_drawn_once_and_timed() -> None:
    engraving = score_with_timemap(TUNE)
    drawn = heads(ElementTree.fromstring(engraving.svg))
    assert sorted(drawn) == sorted(head.id for head in engraving.timemap)
    assert {head.note for head in engraving.timemap} == set(range(len(TUNE.sounding)))
    for index, note in enumerate(TUNE.sounding):
        own = [head for head in engraving.timemap if head.note == index]
        assert own[0].onset == pytest.approx(TUNE.tempo.seconds(note.onset))
        assert own[-1].end == pytest.approx(TUNE.tempo.seconds(note.end))
    assert [head.onset for head in engraving.timemap] == sorted(head.onset for head in engraving.timemap)


def test_time_runs_to_the_right_and_pitch_upwards() -> None:
    scale = Melody.from_pitches([(pitch, 24) for pitch in (60, 62, 64, 65, 67, 69, 71, 72)])
    engraving = score_with_timemap(scale)
    places = heads(ElementTree.fromstring(engraving.svg))
    xs, ys = zip(*(places[head.id] for head in engraving.timemap), strict=True)
    assert list(xs) == sorted(xs)
    # A staff position is half a space: neighbours in the scale lie equally far apart, higher notes higher up.
    assert {round(low - high) for low, high in pairwise(ys)} == {90}


def test_the_same_score_gives_the_same_svg_and_others_share_no_ids() -> None:
    assert score_with_timemap(TUNE) == score_with_timemap(TUNE)
    other = score_with_timemap(TUNE.transposed(2))
    ids = [set(re.findall(r' id="([^"]*)"', svg)) for svg in (score_svg(TUNE), other.svg)]
    assert all(ids)
    assert not ids[0] & ids[1]


def test_the_svg_stands_alone() -> None:
    text = score_svg(TUNE)
    root = ElementTree.fromstring(text)
    assert not re.search(r"@font-face|url\(|<image|<script|foreignObject|https?://(?!www\.w3\.org/)", text)
    defined = {element.get("id") for element in root.iter() if element.get("id")}
    used = {element.attrib[f"{XLINK}href"].removeprefix("#") for element in root.iter(f"{SVG}use")}
    assert used <= defined
    assert "prefers-color-scheme: dark" in text
    # No letters of a music font are left, which would show as empty boxes.
    assert not [letter for letter in "".join(root.itertext()) if "\ue000" <= letter <= "\uf8ff"]


def test_tempo_marks_are_drawn_with_their_number() -> None:
    marks = [element for element in drawing(TUNE).iter(f"{SVG}g") if element.get("class") == "tempo"]
    assert [mark.findtext(f"{SVG}text") for mark in marks] == ["= 60", "= 120"]
    assert all(mark.find(f"{SVG}path") is not None for mark in marks)


def test_a_tempo_mark_in_the_last_tick_of_a_piece_is_left_out() -> None:
    long, short = {0: (50,), 24: (62, 69), 72: (62, 69)}, {6: 74, 12: 76, 18: 78, 66: 78, 114: 79, 186: 76, 282: 78}
    notes = [Note(pitches, onset, 9) for onset, pitches in long.items()]
    notes += [Note((pitch,), onset, 7) for onset, pitch in short.items()]
    tempo = Tempo(((0, 139.0), (6, 144.0), (1704, 144.5), (1710, 143.5), (1734, 145.5)))
    tune = Melody(tuple(sorted(notes, key=lambda note: note.onset)), key=Key.parse("D major"), length=1735, tempo=tempo)
    assert "= 139" in "".join(drawing(tune).itertext())


def test_heading_and_page() -> None:
    root = drawing(TUNE, width=700)
    assert root.get("width") == "700"
    assert root.get("viewBox") == f"0 0 700 {root.get('height')}"
    assert [line.text for line in root.findall(f"{SVG}text")] == ["A tune & more", "Our own, no. 1"]
    plain = drawing(TUNE, heading=False)
    assert plain.findall(f"{SVG}text") == []
    assert float(plain.attrib["height"]) < float(root.attrib["height"])
    long_title = drawing(replace(TUNE, title="word " * 100), width=300).findtext(f"{SVG}text")
    assert long_title is not None
    assert long_title.endswith("…")


def test_long_scores_become_taller() -> None:
    height = {}
    for bars in (4, 16, 60):
        tune = Melody.from_pitches([(60 + index % 12, 12) for index in range(8 * bars)])
        root = drawing(tune)
        height[bars] = float(root.attrib["height"])
        assert len(heads(root)) == 8 * bars
        pages = [page for page in root.findall(f"{SVG}g") if page.get("class") == "page-margin"]
        tops = [float(page.attrib["transform"].split()[1].rstrip(")")) for page in pages]
        assert tops == sorted(set(tops))
    assert height[4] < height[16] < height[60]


def test_eight_bars_make_two_lines_of_four() -> None:
    tune = Melody.from_pitches([(60 + index % 12, 12) for index in range(64)])
    systems = [element for element in drawing(tune).iter(f"{SVG}g") if element.get("class") == "system"]
    bars = [[one for one in system if one.get("class") == "measure"] for system in systems]
    assert [len(one) for one in bars] == [4, 4]


@pytest.mark.parametrize(
    "tune",
    [
        Melody(()),
        Melody((), pickup=24, length=5),
        Melody((Note((0, 127), 0, 1), Note((60,), 1, 500))),
        Melody.from_pitches([(tuple(range(128)), 24)]),
        Melody.from_pitches([(60, ticks) for ticks in range(1, 30)], key=Key.parse("F# minor")),
        Melody.from_pitches([(60, 24)], title="</text><script>\x00\udc80&", source="<"),
        Melody.from_pitches([(60, 12)] * 64, meter=Meter(64, 1)),
        Melody.from_pitches([(60, 12)], meter=Meter(1, 32), tempo=Tempo.constant(2000)),
    ],
)
def test_odd_melodies_are_drawn_too(tune: Melody, capfd: pytest.CaptureFixture[str]) -> None:
    engraving = score_with_timemap(tune)
    assert sorted(heads(ElementTree.fromstring(engraving.svg))) == sorted(head.id for head in engraving.timemap)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("width", [0, 199, 4001])
def test_other_widths_are_refused(width: int) -> None:
    with pytest.raises(UsageError, match="wide"):
        score_svg(TUNE, width=width)


def test_scores_are_the_same_from_any_thread() -> None:
    from concurrent.futures import ThreadPoolExecutor

    tunes = [Melody.from_pitches([(60 + (3 * number + step) % 20, 12) for step in range(16)]) for number in range(6)]
    alone = [score_svg(tune) for tune in tunes]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(score_svg, tunes)) == alone


SHORT = Melody.from_pitches([(60, 6), (62, 6), (64, 6), (65, 6), (67, 120), (None, 24), (72, 24)])
ANNOTATIONS = {
    0: NoteAnnotation("+12", "gain"),
    1: NoteAnnotation("−100", "loss"),
    4: NoteAnnotation("+3", "gain"),
    5: NoteAnnotation("0"),
}


def note_probabilities(svg: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(svg).iter(f"{SVG}g") if one.get("class", "").split()[:1] == ["note"]]


def words_of(note: ElementTree.Element) -> ElementTree.Element | None:
    return note.find(f"{SVG}text[@class='words']")


def test_each_note_gets_its_class_and_the_first_of_tied_heads_the_words() -> None:
    engraving = score_with_timemap(SHORT, annotations=ANNOTATIONS)
    drawn = {one.attrib["id"]: one for one in note_probabilities(engraving.svg)}
    assert len(drawn) == len(engraving.timemap) == 7  # the long note is written as two that are tied
    seen: set[int] = set()
    for head in engraving.timemap:
        note, annotation = drawn[head.id], ANNOTATIONS.get(head.note, NoteAnnotation())
        assert note.get("data-note") == (str(head.note) if head.note in ANNOTATIONS else None)
        assert note.get("class") == f"note {annotation.kind}".strip()
        text = words_of(note)
        assert (text.text if text is not None else "") == ("" if head.note in seen else annotation.words)
        seen.add(head.note)
    assert seen == {0, 1, 2, 3, 4, 5}


def test_words_stand_in_the_middle_under_their_heads_on_one_line() -> None:
    lines = set()
    for note in note_probabilities(annotated_svg()):
        text = words_of(note)
        head = note.find(f"{SVG}g[@class='notehead']/{SVG}use")
        assert head is not None
        if text is not None:
            x, y = map(float, re.findall(r"translate\(([\d.-]+), ([\d.-]+)\)", head.attrib["transform"])[0])
            assert 0 < float(text.attrib["x"]) - x < 212  # the width of a head
            assert float(text.attrib["y"]) > y
            assert text.get("text-anchor") == "middle"
            lines.add(text.attrib["y"])
    assert len(lines) == 1


def annotated_svg(**options: str) -> str:
    return score_with_timemap(SHORT, annotations=ANNOTATIONS, **options).svg  # type: ignore[arg-type]


def test_room_is_made_for_wide_words() -> None:
    wide = {index: NoteAnnotation("−100.25") for index in range(4)}

    def distance(svg: str) -> float:
        xs = [
            float(re.findall(r"translate\(([\d.-]+)", head.attrib["transform"])[0])
            for note in note_probabilities(svg)[:2]
            if (head := note.find(f"{SVG}g[@class='notehead']/{SVG}use")) is not None
        ]
        return xs[1] - xs[0]

    assert distance(score_with_timemap(SHORT, annotations=wide).svg) > distance(score_with_timemap(SHORT).svg) + 200


def test_styles_are_added_and_nothing_changes_without_annotations() -> None:
    assert ".gain { color: teal; }" in annotated_svg(style=".gain { color: teal; }")
    assert score_with_timemap(SHORT).svg == score_svg(SHORT)
    assert score_with_timemap(SHORT, annotations={}).svg == score_svg(SHORT)
    assert annotated_svg() == annotated_svg()


def test_hostile_words_do_no_harm() -> None:
    annotations = {
        0: NoteAnnotation("</text><script>\x00&", 'a" onclick="x'),
        1: NoteAnnotation("\x00"),
        99: NoteAnnotation("nobody"),
    }
    svg = score_with_timemap(SHORT, annotations=annotations).svg
    first, second, *_ = note_probabilities(svg)
    text = words_of(first)
    assert text is not None
    assert text.text is not None
    assert text.text.startswith("</text><script>")
    assert first.get("onclick") is None
    assert words_of(second) is None


CHORDS = {
    0: "F7",
    24: "Bb",
    72: "Bb/D",
    96: "F#m7b5",
    120: "Ebmaj7",
    144: "N.C.",
    168: "D7sus4",
    192: "C#dim7",
    240: "Gm",
}
SHEET = Melody.from_pitches(
    [(67, 24), (None, 24), (84, 168), (86, 12), (84, 36), (None, 72)],
    key=Key.parse("Bb major"),
    pickup=24,
    chords=tuple((tick, Chord.parse(name)) for tick, name in CHORDS.items()),
)


def symbols(root: ElementTree.Element) -> list[tuple[str, float, float, float]]:
    """Text without accidentals, left and right edge, and baseline of each chord symbol, in the order of the score."""
    found = []
    for group in root.iter(f"{SVG}g"):
        words = group.findall(f"{SVG}text") if group.get("class") == "harm" else []
        if words:
            right = float(words[-1].attrib["x"]) + float(words[-1].attrib["textLength"])
            text = "".join(word.text or "" for word in words)
            found.append((text, float(words[0].attrib["x"]), right, float(words[0].attrib["y"])))
    return found


def test_chord_symbols_stand_in_their_order_and_their_accidentals_are_outlines() -> None:
    root = drawing(SHEET, width=2000)
    found = symbols(root)
    assert [text for text, *_ in found] == ["F7", "B", "B/D", "Fm7b5", "Emaj7", "N.C.", "D7sus4", "Cdim7", "Gm"]
    assert all(right < left for (_, _, right, _), (_, left, _, _) in pairwise(found))
    outlines = [len(group.findall(f"{SVG}path")) for group in root.iter(f"{SVG}g") if group.get("class") == "harm"]
    assert outlines == [0, 1, 1, 1, 1, 0, 0, 1, 0]
    assert "Leipzig" not in score_svg(SHEET)


def test_chord_symbols_stand_over_what_sounds_at_their_tick() -> None:
    """Over their note, and in held notes and rests between the things before and after."""
    root = drawing(SHEET, width=2000)
    places = [left for _, left, _, _ in symbols(root)]
    x = [place for place, _ in heads(root).values()]  # of the notes at 0, 48, 120 (tied), 216 and 228 (and 236, tied)
    assert abs(places[0] - x[0]) < 300
    assert x[1] < places[2] < places[3] < x[2]
    assert abs(places[4] - x[2]) < 300
    assert x[2] < places[5] < places[6] < places[7] < x[3]


@pytest.mark.parametrize("width", [400, 800])
@pytest.mark.parametrize("lower", [False, True])
def test_chord_symbols_collide_with_nothing(width: int, lower: bool) -> None:
    root = ElementTree.fromstring(score_svg(SHEET, width=width, lower=accompaniment(SHEET) if lower else ()))
    for measure in root.iter(f"{SVG}g"):
        if measure.get("class") != "measure":
            continue
        notes = list(heads(measure).values())
        for _, left, right, baseline in symbols(measure):
            assert all(y - 90 > baseline for x, y in notes if left - 212 < x < right)
        for (_, _, right, y), (_, left, _, below) in pairwise(symbols(measure)):
            assert y != below or right < left


def test_an_accompaniment_is_a_second_staff_without_ids() -> None:
    alone, both = (score_with_timemap(SHEET, lower=lower) for lower in ((), accompaniment(SHEET)))
    staves = [
        sum(group.get("class") == "staff" for group in ElementTree.fromstring(one.svg).iter(f"{SVG}g"))
        for one in (alone, both)
    ]
    assert staves[1] == 2 * staves[0]
    assert [(head.note, head.onset, head.end) for head in both.timemap] == [
        (head.note, head.onset, head.end) for head in alone.timemap
    ]
    assert score_svg(SHEET, lower=accompaniment(SHEET)) == both.svg


def test_notes_of_an_accompaniment_are_spelled_as_tones_of_their_chord() -> None:
    chords = ((0, Chord.parse("Fm")), (96, Chord.parse("E7")), (192, Chord.parse("Abmaj7")))
    text = musicxml(
        tune := Melody.from_pitches([(84, 96)] * 3, key=Key(), chords=chords), lower=accompaniment(tune)
    ).partition('<part id="P2">')[2]
    spelled = re.findall(r"<step>(\w)</step>(?:<alter>(-?\d)</alter>)?", text)
    assert ("A", "-1") in spelled[:4]
    assert ("G", "1") in spelled[4:8]
    assert sorted(spelled[8:]) == [("A", "-1"), ("C", ""), ("E", "-1"), ("G", "")]


@pytest.mark.parametrize("pickup", [0, 12])
@pytest.mark.parametrize("staves", [1, 2])
def test_the_metronome_mark_stands_over_the_chord_symbols_of_its_line(pickup: int, staves: int) -> None:
    notes = [(60, 12)] * (pickup // 12) + [(64, 24), (67, 24), (72, 48)] * 2
    chords = ((pickup, Chord.parse("C")), (pickup + 96, Chord.parse("F")))
    melody = Melody.from_pitches(notes, pickup=pickup, chords=chords)
    svg = score_svg(melody, lower=accompaniment(melody) if staves == 2 else ())
    root = ElementTree.fromstring(svg)
    heights = {
        kind: [float(text.attrib["y"]) for group in root.iter() if group.get("class") == kind for text in group
               if text.tag.endswith("text")]
        for kind in ("tempo", "harm")
    }  # fmt: skip
    assert len(heights["tempo"]) == 1
    assert len(heights["harm"]) == 2
    assert heights["tempo"][0] < min(heights["harm"]) - 400
