"""Tunes in ABC are read as the standard says; what cannot be is said."""

from __future__ import annotations

import contextlib
import json
import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cantilena.errors import ScoreError
from cantilena.io import read_safely, read_score
from cantilena.io.notation.abc_reader import read_abc_tune
from cantilena.io.notation.abc_tunes import FIELD, split_tunes
from cantilena.io.notation.text import plain_text
from cantilena.io.score import Score
from cantilena.music import Chord, Key, Meter

QUARTER = 10080
CASES = Path(__file__).parents[2].parent / "shared" / "cases"
C, D, E, F, G, A, B, c = 60, 62, 64, 65, 67, 69, 71, 72

Heard = list[tuple[float, int, float]]


def tune(music: str, head: str = "M:4/4\nL:1/4\nK:C\n") -> Score:
    return read_abc_tune(f"X:1\nT:t\n{head}{music}\n")


def heard(score: Score) -> Heard:
    return sorted(
        (onset / QUARTER, pitch, duration / QUARTER)
        for part in score.parts
        for onset, pitch, duration in zip(
            part.onset.tolist(), part.pitch.tolist(), part.duration.tolist(), strict=True
        )
    )  # fmt: skip


def line(score: Score) -> list[tuple[int, float]]:
    return [(pitch, duration) for _, pitch, duration in heard(score)]


def said(score: Score) -> str:
    return "; ".join(doubt.text for doubt in score.doubts)


@pytest.mark.skipif(not CASES.exists(), reason="needs ../shared/cases")
def test_known_cases() -> None:
    answers = json.loads((CASES / "answers.json").read_text())
    for name, wanted in answers.items():
        if name.startswith("abc/"):
            scores = read_score(CASES / name)
            assert [len(score.parts) for score in scores] == [one["voices"] for one in wanted], name
            assert [[list(note) for note in heard(score)] for score in scores] == [one["notes"] for one in wanted], name


LINES: dict[str, tuple[str, list[tuple[int, float]]]] = {
    "octaves": ("C,c'C''D,,", [(48, 1), (84, 1), (84, 1), (38, 1)]),
    "lengths": ("C2D/E//F3/2G/4", [(C, 2), (D, 0.5), (E, 0.25), (F, 1.5), (G, 0.25)]),
    "spaced lengths": ("C 2 D /2 E 3/2", [(C, 2), (D, 0.5), (E, 1.5)]),
    "accidentals hold to the barline": ("^CC=CC|C4", [(61, 1), (61, 1), (C, 1), (C, 1), (C, 4)]),
    "in all octaves": ("^Cc C,2", [(61, 1), (73, 1), (49, 2)]),
    "of grace notes too": ("{^c}c c2 c", [(73, 1), (73, 2), (73, 1)]),
    "double accidentals": ("^^C__D=EF", [(62, 1), (60, 1), (E, 1), (F, 1)]),
    "microtones": ("^/D_/B^3/2F_3/4G", [(D, 1), (B, 1), (F, 1), (G, 1)]),
    "a tied note keeps its accidental": ("C3^F-|F F2 z", [(C, 3), (66, 2), (F, 2)]),
    "enharmonic ties": ("C3^C-|_D4", [(C, 3), (61, 5)]),
    "a tie after a space": ("C3 ^C -|C4", [(C, 3), (61, 5)]),
    "ties over fields": ("C4-|[K:D][L:1/8]C8|", [(C, 8)]),
    "ties over endings": ("C4-|1 C4:|2 D4|]", [(C, 8), (D, 4)]),
    "ties of unisons": ("[CC]4-|[CC]4|", [(C, 8), (C, 8)]),
    "ties into a repeat": ("C4-|:C4:|", [(C, 8)]),
    "ties of chords with accidentals": ("[^F^c]4-|[Fc]4|[Fc]4|", [(66, 8), (73, 8), (F, 4), (c, 4)]),
    "a key cancels accidentals": ("^F2[K:C]F2|^C2[K:clef=bass]C2|", [(66, 2), (F, 2), (61, 2), (61, 2)]),
    "accidentals with a space": ("^ C _ D=EF|", [(61, 1), (61, 1), (E, 1), (F, 1)]),
    "ties of single notes of a chord": ("[C-E]2 C2", [(C, 4), (E, 2)]),
    "a broken tie": ("C2-D2", [(C, 2), (D, 2)]),
    "chords": ("[CEG]2[E2C]/", [(C, 2), (E, 2), (G, 2), (C, 0.5), (E, 1)]),
    "chords with marks": ('["Am"!f!C.E"x"G]4', [(C, 4), (E, 4), (G, 4)]),
    "old chords": ("+CE+2 +trill+C2|+fA+2+f+C2|", [(C, 2), (E, 2), (C, 2), (A, 2), (77, 2), (C, 2)]),
    "old ends of lines": ("CD!EF!C!f!D!ff!E!D F!\nG2|", [
        (C, 1), (D, 1), (E, 1), (F, 1), (C, 1), (D, 1), (E, 1), (D, 1), (F, 1), (G, 2),
    ]),
    "decorations with spaces": ("!dashed line!C!D.S. al Coda!D!8va (!EF|", [(C, 1), (D, 1), (E, 1), (F, 1)]),
    "triplets": ("(3C/D/E/ (3:2:2C2D (3::2CD", [
        (C, 1 / 3), (D, 1 / 3), (E, 1 / 3), (C, 4 / 3), (D, 2 / 3), (C, 2 / 3), (D, 2 / 3),
    ]),
    "tuplets over barlines": ("(3C2D2|E2 F2|", [(C, 4 / 3), (D, 4 / 3), (E, 4 / 3), (F, 2)]),
    "tuplets with rests and chords": ("(3zC[DF]", [(C, 2 / 3), (D, 2 / 3), (F, 2 / 3)]),
    "broken rhythms": ("C>D E<F|C>>D E > F|C>{d}D z2", [
        (C, 1.5), (D, 0.5), (E, 0.5), (F, 1.5), (C, 1.75), (D, 0.25), (E, 1.5), (F, 0.5), (C, 1.5), (D, 0.5),
    ]),
    "chained broken rhythms": ("C>D<E", [(C, 1.5), (D, 0.25), (E, 1.5)]),
    "broken in a tuplet": ("(3C>DE", [(C, 1), (D, 1 / 3), (E, 2 / 3)]),
    "rests": ("CzDx|Z2|C4|[M:3/4]Z2|C3", [(C, 1), (D, 1), (C, 4), (C, 3)]),
    "marks": ("~C.D!trill!vETF|H(C{gf}S)DyE`F", [(C, 1), (D, 1), (E, 1), (F, 1)] * 2),
    "text and remarks": ('C"^up"D[r:GAB]E\\% no\nF % GAB', [(C, 1), (D, 1), (E, 1), (F, 1)]),
    "a backslash at the end": ("CD\\\nEF|", [(C, 1), (D, 1), (E, 1), (F, 1)]),
    "macros": ("m:~C2=C/D/C\n~C2EF|", [(C, 0.5), (D, 0.5), (C, 1), (E, 1), (F, 1)]),
    "macros that transpose": ("m:~n2=n/o/n/m/\n~C2~B2|~c'2|", [
        (C, 0.5), (D, 0.5), (C, 0.5), (B - 12, 0.5), (B, 0.5), (c, 0.5), (B, 0.5), (A, 0.5),
        (84, 0.5), (86, 0.5), (84, 0.5), (83, 0.5),
    ]),
    "text in the body": ("%%begintext\nA cab\n%%endtext\nN:a bad cab\n+:and more\nCD|", [(C, 1), (D, 1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_lines(name: str) -> None:
    music, notes = LINES[name]
    [text] = split_tunes(f"X:1\nM:4/4\nL:1/4\nK:C\n{music}\n")
    score = read_abc_tune(text)
    got = line(score)
    assert [pitch for pitch, _ in got] == [pitch for pitch, _ in notes]
    assert [lasts for _, lasts in got] == pytest.approx([lasts for _, lasts in notes], abs=1e-3)


KEYS = {
    "G": ("G major", 66, 1), "Gm": ("G minor", 65, 1), "D Dorian": ("D dorian", 65, 1), "Ddor": ("D dorian", 65, 1),
    "A min": ("A minor", 65, 1), "AMIX": ("A mixolydian", 66, 1), "C lydian": ("C lydian", 66, 1),
    "E Phr": ("E phrygian", 65, 1), "Bloc": ("B locrian", 65, 1), "Cion": ("C major", 65, 1),
    "A aeo": ("A minor", 65, 1), "F#m": ("F# minor", 66, 1), "D =c": ("D mixolydian", 66, 1),
    "Dmix=c": ("D mixolydian", 66, 1), "D mix=c": ("D mixolydian", 66, 1), "D phr=f": ("D phrygian", 65, 1),
    "F sharp minor": ("F# minor", 66, 1), "Bflat": ("Bb major", 65, 1),
    "D Phr ^f": ("D phrygian", 66, 1), "G clef=bass": ("G major", 66, 1), "D exp ^f": ("D mixolydian", 66, 0),
    "HP": ("A mixolydian", 66, 0),
}  # fmt: skip


@pytest.mark.parametrize("value", KEYS)
def test_keys(value: str) -> None:
    name, pitch, is_explicit = KEYS[value]
    score = tune("F4|", f"L:1/4\nK:{value}\n")
    assert score.parts[0].pitch.tolist() == [pitch]
    assert (score.keys, score.keys_are_explicit) == (((0, Key.parse(name)),), bool(is_explicit))


@pytest.mark.parametrize(
    ("value", "pitch"),
    [
        ("C bass", C), ("C clef=treble-8", C - 12), ("C treble+8", C + 12), ("C clef=alto octave=1", C + 12),
        ("F -8va", C - 12), ("C transpose=-2", C - 2), ("C middle=d", C), ("clef=bass", C), ("none", C), ("", C),
    ],
)  # fmt: skip
def test_clefs(value: str, pitch: int) -> None:
    assert tune("C4|", f"L:1/4\nK:{value}\n").parts[0].pitch.tolist() == [pitch]


@pytest.mark.parametrize(
    ("head", "quarters", "meter"),
    [
        ("M:4/4\n", 0.5, Meter(4, 4)), ("M:2/4\n", 0.25, Meter(2, 4)), ("M:C|\n", 0.5, Meter(2, 2)),
        ("M:none\n", 0.5, None), ("", 0.5, None), ("M:(2+3)/8\n", 0.25, Meter(5, 8)),
        ("M:2+3/8\nL:1/8\n", 0.5, Meter(5, 8)), ("L:1/4\nM:2/4\n", 1, Meter(2, 4)),
        ("M:4/4\nK:C\nM:2/4\n", 0.5, Meter(2, 4)),
    ],
)  # fmt: skip
def test_the_unit_follows_the_meter_of_the_head(head: str, quarters: float, meter: Meter | None) -> None:
    score = tune("C|[M:2/4]D|", f"{head}K:C\n")
    assert [lasts for _, _, lasts in heard(score)] == [quarters, quarters]
    assert dict(score.meters).get(0) == meter


def test_tempos() -> None:
    score = tune("CDEF|\nQ:1/4=50\nGABc|[Q:1/8=200]c4|\nQ:240\nC4|", 'M:4/4\nL:1/4\nQ:"Allegro" 3/8=100\nK:C\n')
    assert score.tempos == ((0, 150.0), (4 * QUARTER, 50.0), (8 * QUARTER, 100.0), (12 * QUARTER, 240.0))


def test_voices() -> None:
    head = 'M:4/4\nL:1/4\nV:S name="Soprano"\nV:B clef=bass octave=-1\nV:empty\nK:C\n'
    score = tune("[V:S]CDEF|[V:B]C4|\n[V:S]G4|\nV:B\n[K:G]F4|\n", head)
    assert [(part.name, part.track) for part in score.parts] == [("Soprano", 0), ("B", 1)]
    assert [part.pitch.tolist() for part in score.parts] == [[C, D, E, F, G], [C - 12, 66 - 12]]
    assert not score.doubts
    assert len(score.bars) == 2


def test_music_before_the_first_voice_is_that_of_voice_1() -> None:
    score = tune("CDEF|\nV:2\nC4|D4|\nV:1\nGABc|\n")
    assert [(part.name, part.pitch.tolist()) for part in score.parts] == [
        ("1", [C, D, E, F, G, A, B, c]),
        ("2", [C, D]),
    ]
    assert [(part.name, part.track) for part in tune("[V:S]C4|\n[V:1]D4|\n").parts] == [("S", 0), ("1", 1)]


def test_percussion() -> None:
    score = tune("V:1\nC4|\nV:2 clef=perc\nC4|\nV:3\n%%MIDI channel 10\nC4|\nV:4\n[K:C perc]C4|\n")
    assert [part.is_drums for part in score.parts] == [False, True, True, True]


def test_overlays() -> None:
    score = tune("CDEF & ^F4 | F4 && c4 | d4 | (& C4|D4 & E4|F4 &)|G4|")
    assert [part.track for part in score.parts] == [0, 0]
    over = score.parts[1]
    assert list(zip(over.onset.tolist(), over.pitch.tolist(), strict=True)) == [
        (QUARTER * onset, pitch) for onset, pitch in [(0, 66), (0, c), (4, 74), (8, E), (12, F)]
    ]
    assert len(score.bars) == 5


def test_a_short_bar_in_one_voice_waits() -> None:
    score = tune("V:1\nCDEF|CDE|C4|\nV:2\nC4|D4|E4|\n")
    assert [part.onset.tolist()[-1] for part in score.parts] == [8 * QUARTER, 8 * QUARTER]
    waits = [doubt for doubt in score.doubts if "waits" in doubt.text]
    assert [(doubt.bar, doubt.voice, doubt.misplaces) for doubt in waits] == [("2", "1", True)]


def test_voices_that_do_not_meet() -> None:
    score = tune("V:1\nCDEF|CDEF|C4|\nV:2\nC3|D4|\n")
    assert any(doubt.misplaces and "do not meet" in doubt.text for doubt in score.doubts)
    score = tune("V:1\nC4|D4|\nV:2\nE4|\n")
    assert [(doubt.text, doubt.voice, doubt.misplaces) for doubt in score.doubts] == [
        ("it ends before another voice", "2", True)
    ]


BARS = {
    "|: C4 :|": [("", True, 2, ())],
    "C4 :: D4 :|": [("", False, 2, ()), ("", True, 2, ())],
    "C4 :||: D4 :|": [("", False, 2, ()), ("", True, 2, ())],
    "C4 :|\n|: D4 ||": [("", False, 2, ()), ("", True, 0, ())],
    "C4 :|: D4 |]": [("", False, 2, ()), ("", True, 0, ())],
    "|:: C4 ::|": [("", True, 3, ())],
    "|: C4 |1 D4 :|2 E4 |]": [("", True, 0, ()), ("", False, 2, (1,)), ("", False, 0, (2,))],
    "|: C4 |[1 D4 :|[2 E4 || F4 |": [("", True, 0, ()), ("", False, 2, (1,)), ("", False, 0, (2,)), ("", False, 0, ())],
    "|: C4 [1,3 D4 :| [2 E4 |]": [("", True, 0, ()), ("", False, 2, (1, 3)), ("", False, 0, (2,))],
    '|: C4 |["1-3" D4 :|["4." E4 |]': [("", True, 0, ()), ("", False, 2, (1, 2, 3)), ("", False, 0, (4,))],
    "C2 .| D2 | E4 |": [("", False, 0, ()), ("", False, 0, ())],
    "C4 [|] D4 [| E4 |]": [("", False, 0, ())] * 3,
    "C4 | D4 !coda! | E4 !D.C.! || !coda! F4 |]": [("", False, 0, ())] * 3 + [("coda", False, 0, ())],
    "!segno! C4 | D4 !D.S.! |]": [("segno", False, 0, ()), ("", False, 0, ())],
}


@pytest.mark.parametrize("music", BARS)
def test_bars(music: str) -> None:
    score = tune(music)
    assert [(bar.begins, bar.opens_repeat, bar.closes_repeat, bar.endings) for bar in score.bars] == BARS[music]
    assert not score.doubts


def test_jumps_and_sections() -> None:
    score = tune('C4|"Fine"D4||E4|F4 "D.C. al Fine"|]\nP:B\nG4|A4|')
    assert [bar.jump for bar in score.bars] == ["", "fine", "", "dacapo", "", ""]
    assert [bar.ends_section for bar in score.bars] == [False, True, False, True, False, False]
    assert len(score.repeats.sections) == 3


@pytest.mark.parametrize(
    ("order", "turns"), [("AABB", (0, 0, 1, 2, 1, 2)), ("B(A2.B)2", (1, 2, 0, 0, 1, 2, 0, 0, 1, 2))]
)
def test_the_order_of_parts(order: str, turns: tuple[int, ...]) -> None:
    score = tune("P:A\n|:C4:|\nP:B\nD4||E4|", f"P:{order}\nM:4/4\nL:1/4\nK:C\n")
    assert score.repeats.order == turns
    assert [(one.start, one.end) for one in score.repeats.sections] == [
        (QUARTER * start, QUARTER * (start + 4)) for start in (0, 4, 8)
    ]
    assert not score.doubts
    assert "P:AC is not applied" in said(tune("P:A\nC4|\nP:B\nD4|", "P:AC\nL:1/4\nK:C\n"))


def test_phrase_ends_and_chords() -> None:
    score = tune('"Am7/G"C!fermata!D"huh"E!breath!F|(CDEF)|"G"G2 "^slow"A2|\nw:')
    assert score.parts[0].phrase_ends == tuple(QUARTER * end for end in (2, 4, 8))
    assert score.chords == ((0, Chord.parse("Am7/G")), (8 * QUARTER, Chord.parse("G")))
    assert "'huh' is not a chord symbol" in said(score)
    assert tune("CDEF|GABc|\nw:The lit-tle _ cat, sat down.\n").parts[0].phrase_ends == (5 * QUARTER, 7 * QUARTER)


def test_bar_lengths() -> None:
    assert not tune("C|CDEF|CDE:|C|CDEF|CDE|]").doubts
    assert tune("C|CDEF|CDE:|").pickup == QUARTER
    wrong = tune("CDEF|CDE|CDEF|CDEFG|CDEF|")
    # The notes of one voice follow one another whatever the barlines say.
    assert [(doubt.bar, doubt.misplaces) for doubt in wrong.doubts] == [("2", False), ("4", False)]


DOUBTS = {
    "C-D2z|": "a tie leads to no note",
    "^/C4|": "microtones are not kept (1)",
    'C4|"C4|': "a quotation mark is not closed",
    "(3CD|E4|": "a tuplet is not complete",
    "(3(3CDE F2|": "the second (3 is not read",
    "CDEF # 7|": "mean nothing",
    "CDEF|\n\nGABc|": "after an empty line",
    "[K:Q]C4|": "the key 'Q' is unknown",
    "%%MIDI transpose 2\nC4|": "%%MIDI transpose is not applied",
    "here is some writing on it\nC4|": "looks like text",
}


@pytest.mark.parametrize("music", DOUBTS)
def test_doubts(music: str) -> None:
    assert DOUBTS[music] in said(tune(music))


def test_grace_notes_are_counted() -> None:
    assert tune("{cd}C{/e}D2E|").lost == 3


def test_without_a_key() -> None:
    score = read_abc_tune("X:1\nM:4/4\nL:1/4\nCDEF|GABc|")
    assert len(score.parts[0]) == 8
    assert "names no key" in said(score)


@pytest.mark.parametrize("read", [read_score, read_safely])
def test_errors(tmp_path: Path, read: Callable[[Path], list[Score]]) -> None:
    path = tmp_path / "book.abc"
    path.write_bytes(b"hello\n")
    with pytest.raises(ScoreError, match="it holds no tune"):
        read(path)
    path.write_bytes(b"X:1\nT:a\nK:C\nz4|\n")
    with pytest.raises(ScoreError, match="no notes"):
        read(path)
    path.write_bytes(b"X:1\nT:a\nK:C\nC4|\n\nX:2\nT:b\nK:C\n")
    good, bad = read(path)
    assert (good.error, bad.error, bad.title, bad.parts) == ("", "it has no notes", "b", ())


@pytest.mark.parametrize(
    "unit", ["[", "(", "(3", "{", '"', "^", "&", "[V:1]", "[K:", "A-", "Z99", "(&A&", "|1-99", "C/7"]
)
def test_hostile_input_is_read_in_linear_time(unit: str) -> None:
    start = time.process_time()
    with contextlib.suppress(ScoreError):
        read_abc_tune(f"X:1\nK:C\nL:1/7\n{unit * 20_000}\n")
    assert time.process_time() - start < 5


def test_damaged_tunes() -> None:
    rng = random.Random(1)
    source = b"X:1\nT:t\nM:6/8\nL:1/8\nV:1\nV:2\nK:G\n[V:1]|:(3abc d>e [fa]2-|[fa]6:|\n[V:2]{g}Z2|C6 & E6|\n"
    for _ in range(300):
        damaged = bytearray(source)
        for _ in range(rng.choice([1, 3, 9])):
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(7)
        try:
            for one in split_tunes(plain_text(bytes(damaged))):
                read_abc_tune(one)
        except ScoreError:
            continue


def by_abc2midi(text: str, path: Path) -> Heard:
    """What abc2midi plays, without ornaments, repeats and swing."""
    symusic = pytest.importorskip("symusic")
    path.write_text(text, encoding="utf-8")
    score = symusic.Score(path, fmt="abc")
    unit = score.ticks_per_quarter
    return sorted(
        (note.time / unit, note.pitch, note.duration / unit) for track in score.tracks for note in track.notes
    )


def plain(text: str) -> str:
    """A tune without what abc2midi plays in its own way: repeats, ornaments, graces, staccato, hornpipe swing."""
    kept = []
    for row in text.split("\n"):
        if FIELD.match(row):
            kept += [row] if row[0] not in "RQPSIwWNZB" else []
            continue
        row = re.sub(r'![\w.()<>]*!|\{[^}]*\}|"[^"]*"', "", row)
        row = re.sub(r"\.(?!\|)|[~HTuvPMOLSk`]", "", row)
        row = re.sub(r"\[\|\]", "", row)
        row = re.sub(r":?\|\s*\[?\d|\[\d", "|", row).replace("::", "|")
        kept.append(row.replace(":|", "|").replace("|:", "|"))
    return "\n".join(kept)


def agree(ours: Heard, theirs: Heard) -> bool:
    def ordered(notes: Heard) -> Heard:
        return sorted(notes, key=lambda note: (note[1], note[0]))

    return len(ours) == len(theirs) and all(
        abs(one[0] - other[0]) < 0.04 and one[1] == other[1] and abs(one[2] - other[2]) < 0.06
        for one, other in zip(ordered(ours), ordered(theirs), strict=True)
    )


SAME = {
    name: music for name, (music, _) in LINES.items()
    if name not in {
        "marks",  # it plays staccato short and ornaments out
        "spaced lengths",  # it reads no length after a space
        "of grace notes too", "broken rhythms",  # it plays grace notes
        "microtones",  # it plays them by pitch bends on other notes
        "chained broken rhythms",  # it refuses notes of different lengths
        "ties over endings",  # it plays both endings
        "text in the body", "text and remarks", "macros",
        "old chords",  # it takes + for decorations
        "chords",  # it shortens a length after a chord of different lengths
        "chords with marks",  # it plays the accompaniment
        "a tie after a space",
        "accidentals with a space", "macros that transpose",  # it reads none
        "old ends of lines",  # it takes ! for decorations
        "ties into a repeat",  # it plays both passes
    }
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_abc2midi_reads_the_same_lines(name: str, tmp_path: Path) -> None:
    text = f"X:1\nT:t\nM:4/4\nL:1/4\nK:C\n{SAME[name]}\n"
    assert agree(heard(read_abc_tune(text)), by_abc2midi(text, tmp_path / "t.abc"))


DIFFERENT = {"42d Highland Regiment -- Strathspey": "it refuses broken rhythm of different lengths"}
"""Titles of tunes in which abc2midi differs, and why."""


def test_abc2midi_reads_the_same_books(tmp_path: Path) -> None:
    music21 = pytest.importorskip("music21")
    corpus = Path(music21.__file__).parent / "corpus"
    texts = []
    for book in (
        "oneills1850/0101-0200.abc",
        "airdsAirs/book2.abc",
        "essenFolksong/altdeu10.abc",
        "essenFolksong/han1.abc",
    ):
        texts += [plain(one.text) for one in list(split_tunes(plain_text((corpus / book).read_bytes())))[::9]]
    texts += [plain(path.read_text("latin-1")) for path in sorted((corpus / "ryansMammoth").glob("*.abc"))[::40]]
    differing = []
    for text in texts:
        title = text.partition("T:")[2].partition("\n")[0].strip()
        if title not in DIFFERENT and not agree(heard(read_abc_tune(text)), by_abc2midi(text, tmp_path / "t.abc")):
            differing.append(title)
    assert len(texts) > 80
    assert not differing
