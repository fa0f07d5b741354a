"""ABC that another program reads as the same music."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cantilena.data import read_melody
from cantilena.io import WRITABLE, abc, write
from cantilena.io.notation.abc_reader import read_abc_tune
from cantilena.music import Key, Melody, Meter, Note, Tempo

KEYS = [
    Key(tonic, mode) for tonic in range(12) for mode in ("major", "minor", "dorian", "phrygian", "lydian", "mixolydian")
]


def head_and_music(text: str) -> tuple[dict[str, str], str]:
    lines = text.splitlines()
    fields = {line[0]: line[2:] for line in lines if line[1:2] == ":"}
    return fields, "\n".join(line for line in lines if line[1:2] != ":" and line[0] != "%")


def heard(text: str) -> tuple[list[tuple[int, int | Fraction, int | Fraction]], Any]:
    """Pitch, onset and duration (ticks) of every note, as music21 reads them.

    Its own `stripTies` leaves a natural apart from the same note without a sign that it is tied to.
    """
    music21 = pytest.importorskip("music21")
    score = music21.converter.parse(text, format="abc")
    part = score.parts[0]
    found: list[tuple[int, Any, Any]] = []
    for struck in part.flatten().notes:
        for one in struck.notes if struck.isChord else (struck,):
            pitch, tie = one.pitch.midi, one.tie or struck.tie
            onset, lasts = (Fraction(ticks) * 24 for ticks in (struck.offset, struck.duration.quarterLength))
            if tie is not None and tie.type in ("continue", "stop"):
                at = max(number for number, (sounds, _, _) in enumerate(found) if sounds == pitch)
                begun, before = found[at][1:]
                assert begun + before == onset
                found[at] = (pitch, begun, before + lasts)
            else:
                found.append((pitch, onset, lasts))
    return found, part


@st.composite
def tunes(draw: st.DrawFn) -> Melody:
    meter = draw(st.sampled_from([Meter(), Meter(3, 4), Meter(6, 8), Meter(2, 2), Meter(9, 8), Meter(5, 4)]))
    single = st.tuples(
        st.one_of(st.none(), st.integers(36, 96)), st.sampled_from([3, 6, 9, 12, 18, 24, 36, 48, 60, 96])
    )
    blocks = st.lists(single, min_size=1, max_size=1)
    if meter.ticks_per_beat == 24:  # triplets of eighths, and of 16ths on a beat's half
        three = st.tuples(*[st.integers(55, 80)] * 3)
        blocks = st.one_of(blocks, three.map(lambda pitches: [(pitch, 8) for pitch in pitches]))
    pairs: list[tuple[int | None, int]] = []
    tick = 0
    for block in draw(st.lists(blocks, min_size=1, max_size=30)):
        if len(block) == 3 and tick % 24:
            block = [(block[0][0], 24 - tick % 24)]
        pairs += block
        tick += sum(duration for _, duration in block)
    pickup = draw(st.sampled_from([0, 12, 24, 48]))
    return Melody.from_pitches(pairs, key=draw(st.sampled_from(KEYS)), meter=meter, pickup=pickup)


@given(tunes())
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_back(melody: Melody) -> None:
    assume(melody.sounding)
    score = read_abc_tune(abc(melody))
    (part,) = score.parts
    notes = zip(part.onset.tolist(), part.duration.tolist(), part.pitch.tolist(), strict=True)
    scale = score.resolution // 24
    assert sorted(notes) == [(note.onset * scale, note.duration * scale, note.top) for note in melody.sounding]
    assert [key for _, key in score.keys] == [melody.key]
    assert [meter for _, meter in score.meters] == [melody.meter]
    assert not score.doubts


@given(tunes())
@settings(max_examples=25, deadline=None)
def test_music21_reads_the_same_notes(tune: Melody) -> None:
    text = abc(tune)
    assume(not re.search(r"(\^\^|__)[A-Ga-g][,']*[\d/]*-", text))  # music21 loses a double accidental at a tie
    found, _ = heard(text)
    assert found == [(note.top, note.onset, note.duration) for note in tune.sounding]


def test_a_tune_by_hand() -> None:
    tune = Melody.from_pitches(
        [(62, 12), (67, 24), (66, 12), (67, 12), (69, 48), (70, 72), (None, 24), (63, 8), (62, 8), (61, 8), (62, 60)],
        key=Key.parse("G minor"),
        meter=Meter(3, 4),
        pickup=12,
        tempo=Tempo.constant(92),
        title="An Air",
    )
    fields, music = head_and_music(abc(tune))
    assert fields == {"X": "1", "T": "An Air", "M": "3/4", "L": "1/8", "Q": "1/4=92", "K": "Gm"}
    assert music == "D | G2 ^FG A2- | A2 B4- | B2 z2 (3ED^C |\nD4- D |]"
    assert abc(tune).startswith("%abc-2.1\nX:1\nT:An Air\n")


def test_accidentals_are_plain_whatever_a_program_thinks_of_octaves() -> None:
    _, music = head_and_music(abc(Melody.from_pitches([(66, 24), (77, 24), (65, 24), (78, 24), (66, 24)], key=Key())))
    assert music == "^F2 =f2 =F2 ^f2 | ^F2 z2 z4 |]"


@pytest.mark.parametrize(
    ("key", "said"),
    [("Bb major", "Bb"), ("F# minor", "F#m"), ("D dorian", "Ddor"), ("B locrian", "Bloc"), ("G mixolydian", "Gmix")],
)
def test_keys_as_abc_says_them(key: str, said: str) -> None:
    tune = Melody.from_pitches([(60, 24)], key=Key.parse(key))
    assert head_and_music(abc(tune))[0]["K"] == said
    if said == "Bloc":
        return  # music21 takes it for B major
    _, part = heard(abc(tune))
    assert part.recurse().getElementsByClass("KeySignature").first().sharps == Key.parse(key).fifths


def test_chords_and_silence() -> None:
    tune = Melody.from_pitches([((60, 64, 67), 48), ((60, 64), 144)], key=Key())
    text = abc(tune)
    assert "[CEG]4 [CE]4- | [CE]8" in text
    assert [(pitch, onset) for pitch, onset, _ in heard(text)[0]][:3] == [(60, 0), (64, 0), (67, 0)]
    assert head_and_music(abc(Melody((), length=96)))[1] == "z8 |]"
    assert head_and_music(abc(Melody(())))[1] == "z8 |]"


def test_a_natural_tied_over_a_barline_is_one_note() -> None:
    tune = Melody((Note((46,), 48, 3), Note((81,), 51, 36)), key=Key.parse("C# minor"), meter=Meter(6, 8))
    assert heard(abc(tune))[0] == [(46, 48, 3), (81, 51, 36)]


@pytest.mark.parametrize("title", ["50 % off\\", "K:G\nX:2", "\x00", "Ärger ♯", "[K:G]"])
def test_titles_do_not_become_music(title: str) -> None:
    text = abc(Melody.from_pitches([(60, 24), (62, 24)], key=Key(), title=title))
    assert len(text.splitlines()) == 8
    assert [pitch for pitch, *_ in heard(text)[0]] == [60, 62]


def test_our_own_reader_reads_it_back(tmp_path: Path) -> None:
    tune = Melody.from_pitches([(62, 24), (67, 48), (69, 24), (70, 96), (67, 72)], key=Key.parse("G minor"), pickup=24)
    write(tune, tmp_path / "air.abc")
    back = read_melody(tmp_path / "air.abc")
    assert (back.notes, back.key, back.meter, back.pickup) == (tune.notes, tune.key, tune.meter, 24)
    assert ".abc" in WRITABLE
