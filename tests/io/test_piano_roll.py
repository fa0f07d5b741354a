"""Piano rolls: every note a bar at its pitch and time."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from cantilena.errors import UsageError
from cantilena.io.engraving.piano_roll import piano_roll_svg
from cantilena.music import Key, Melody, Meter, Note, Tempo

SVG = "{http://www.w3.org/2000/svg}"
TUNE = Melody.from_pitches(
    [(67, 24), ((60, 64, 67), 48), (None, 24), (70, 12), (61, 36)],
    key=Key.parse("F major"),
    meter=Meter(3, 4),
    pickup=24,
    tempo=Tempo(((0, 60.0), (48, 120.0))),
    title="A tune",
)


def of_class(text: str, kind: str) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(text).iter() if element.get("class") == kind]


def number(element: ElementTree.Element, name: str) -> float:
    return float(element.attrib[name])


def test_every_pitch_of_every_note_is_a_bar_with_its_times() -> None:
    bars = of_class(piano_roll_svg(TUNE), "note")
    expected = [
        (str(index), TUNE.tempo.seconds(note.onset), TUNE.tempo.seconds(note.end))
        for index, note in enumerate(TUNE.sounding)
        for _ in note.pitches
    ]
    assert [(bar.get("data-note"), number(bar, "data-onset"), number(bar, "data-end")) for bar in bars] == expected


def test_place_is_proportional_to_pitch_and_time() -> None:
    bars = of_class(piano_roll_svg(TUNE), "note")
    pitches = [pitch for note in TUNE.sounding for pitch in note.pitches]
    onsets = [note.onset for note in TUNE.sounding for _ in note.pitches]
    durations = [note.duration for note in TUNE.sounding for _ in note.pitches]
    per_tick = (number(bars[-1], "x") - number(bars[0], "x")) / (onsets[-1] - onsets[0])
    row = (number(bars[1], "y") - number(bars[3], "y")) / (pitches[3] - pitches[1])
    for bar, pitch, onset, duration in zip(bars, pitches, onsets, durations, strict=True):
        assert number(bar, "x") == pytest.approx(number(bars[0], "x") + onset * per_tick, abs=0.2)
        assert number(bar, "y") == pytest.approx(number(bars[0], "y") + (pitches[0] - pitch) * row, abs=0.01)
        assert number(bar, "width") == pytest.approx(duration * per_tick, abs=1.1)
        assert number(bar, "x") + number(bar, "width") <= 800


def test_bars_and_names() -> None:
    text = piano_roll_svg(TUNE, title="Heard & seen")
    assert [element.text for element in of_class(text, "ink")] == ["Heard & seen", "1", "2"]
    names = {element.text for element in of_class(text, "name")}
    assert names == {"G4", "C4", "E4", "B♭4", "C♯4"}
    assert "C4" in {element.text for element in of_class(text, "key-name")}


def test_long_melodies_run_on_in_systems() -> None:
    tune = Melody.from_pitches([(60 + index % 12, 24) for index in range(400)])
    root = ElementTree.fromstring(piano_roll_svg(tune))
    systems = root.findall(f"{SVG}g")
    assert len(systems) > 5
    shown = [bar.get("data-note") for bar in root.iter() if bar.get("class") == "note"]
    assert shown == [str(index) for index in range(400)]
    assert root.get("width") == "800"
    numbers = [int(element.text or "") for element in root.iter() if element.get("class") == "ink"]
    assert numbers == list(range(1, 101))


def test_a_note_over_the_end_of_a_system_goes_on_in_the_next() -> None:
    tune = Melody((Note((60,), 0, 96 * 60),))
    bars = of_class(piano_roll_svg(tune), "note")
    assert len(bars) > 2
    assert {bar.get("data-note") for bar in bars} == {"0"}


@pytest.mark.parametrize(
    "tune",
    [
        Melody(()),
        Melody((), pickup=30, length=10),
        Melody.from_pitches([(0, 24), (127, 24)]),
        Melody.from_pitches([(127, 24)]),
        Melody.from_pitches([(0, 24)]),
        Melody.from_pitches([(60, 24)], meter=Meter(64, 1)),
        Melody.from_pitches([(60, 24)], meter=Meter(1, 32)),
        Melody((Note((60,), 0, 100), Note((60,), 50, 100), Note((), 170, 3))),
        replace(TUNE, title="<&\x00\udc80>", key=None),
    ],
)
def test_odd_melodies_stay_on_the_paper(tune: Melody) -> None:
    root = ElementTree.fromstring(piano_roll_svg(tune, title=tune.title))
    height = number(root, "height")
    for system in root.findall(f"{SVG}g"):
        top = float(system.attrib["transform"].split()[1].rstrip(")"))
        for rect in system.iter(f"{SVG}rect"):
            assert 0 <= number(rect, "y") <= number(rect, "y") + number(rect, "height") <= height - top
            assert 0 <= number(rect, "x") <= number(rect, "x") + number(rect, "width") <= 800.1


def test_the_svg_stands_alone_and_repeats() -> None:
    text = piano_roll_svg(TUNE)
    assert text == piano_roll_svg(TUNE)
    assert "prefers-color-scheme:dark" in text
    assert not any(word in text for word in ("<script", "<image", "url(", "@import"))


def test_thousands_of_notes_and_tempo_changes() -> None:
    tempo = Tempo(tuple((7 * index, 60.0 + index % 50) for index in range(2_000)))
    tune = Melody.from_pitches([(60 + index % 12, 24) for index in range(2_000)], tempo=tempo)
    assert piano_roll_svg(tune).count('class="note"') == 2_000


def test_too_long_and_too_wide_are_refused() -> None:
    with pytest.raises(UsageError, match="too long"):
        piano_roll_svg(Melody((), length=2**50))
    with pytest.raises(UsageError, match="wide"):
        piano_roll_svg(TUNE, width=10)
