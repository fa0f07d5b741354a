"""kern: durations, spine paths, ties, bars, sections, keys, phrases and chords; and music21's own files."""

from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from cantilena.errors import ScoreError
from cantilena.io.notation.kern_reader import read_kern
from cantilena.io.notation.kern_token import parse_chord, parse_meter, parse_token
from cantilena.music import Chord, Key, Meter
from cantilena.music.repeats import Repeats, Section

Q = 10080
"""Ticks a quarter note in notation."""


def kern(*lines: str, end: bool = True) -> bytes:
    """A file of some lines, with columns parted by spaces where no tab is; chords are written with +."""
    rows = [line if "\t" in line or line.startswith("!") else "\t".join(line.split()) for line in lines]
    width = rows[-1].count("\t") + 1
    rows = [row if row[0] in "*!" else row.replace("+", " ") for row in rows]
    return "\n".join([*rows, *(["\t".join(["*-"] * width)] if end else [])]).encode()


def notes(score, part=None):
    """(onset in quarters, pitch, duration in quarters), of a part or of all."""
    parts = score.parts if part is None else [score.parts[part]]
    return sorted(
        (onset / Q, pitch, duration / Q)
        for each in parts
        for onset, pitch, duration in zip(each.onset.tolist(), each.pitch.tolist(), each.duration.tolist(), strict=True)
    )


@pytest.mark.parametrize(
    ("token", "quarters"),
    [
        ("4c", 1), ("4.c", "3/2"), ("4..c", "7/4"), ("c8", "1/2"), ("4c.", "3/2"),
        ("c4..", "7/4"), ("0c", 8), ("00c", 16), ("000c", 32), ("0.c", 12),
        ("6c", "2/3"), ("6.c", 1), ("20%3c", "3/5"), ("20%3.c", "9/10"), ("3%2c", "8/3"), ("92..c", "7/92"),
        ("{(16LLff#/'", "1/4"), ("4r", 1), ("8gg'/J 8ee 8cc", "1/2"), ("[4c_", 1),
    ],
)  # fmt: skip
def test_durations(token, quarters):
    assert parse_token(token).quarters == Fraction(quarters)


@pytest.mark.parametrize(
    ("token", "pitch"),
    [("4c", 60), ("4cc", 72), ("4ccc#", 85), ("4C", 48), ("4BBB", 35), ("4c##", 62), ("4e--", 62), ("4bn", 71),
     ("4b-X", 70), ("4f#xx", 66), ("4cyy", 60), ("4BB-/L", 46)],
)  # fmt: skip
def test_pitches(token, pitch):
    assert [note.pitch for note in parse_token(token).notes] == [pitch]


def test_grace_notes_are_silent_and_appoggiaturas_sound():
    score = read_kern(kern("**kern", "*M3/4", "=1", "8ddq", "16eeqq+16ggqq", "8ccP", "8bp", "16eQ", "4rg", "4a", "=="))
    assert notes(score) == [(0, 72, 0.5), (0.5, 71, 0.5), (2, 69, 1)]
    assert score.lost == 4
    assert not score.doubts


def test_chords_share_the_first_duration():
    score = read_kern(kern("**kern", "2c+e+g", "2c+4e"))
    assert notes(score) == [(0, 60, 2), (0, 64, 2), (0, 67, 2), (2, 60, 2), (2, 64, 1)]
    assert [doubt.text for doubt in score.doubts] == ["the notes of '2c 4e' have several durations"]


def test_a_note_without_duration_is_counted():
    score = read_kern(kern("**kern", "4c", "d", "4e"))
    assert score.doubts[0].bar == "1"
    assert notes(score) == [(0, 60, 1), (1, 64, 1)]
    assert (score.lost, score.doubts[0].misplaces) == (1, True)
    with pytest.raises(ScoreError, match="none of its notes has a duration"):
        read_kern(kern("**kern", "c", "d"))


def test_splits_and_merges_within_splits():
    score = read_kern(
        kern(
            "**kern **kern", "*M4/4 *M4/4", "=1 =1", "* *^", "2C 2cc 2e", "* *^ *", "2D 2dd 2g 2f", "* *v *v *",
            "=2 =2 =2", "1E 1ee 1g", "* *v *v", "== ==",
        )
    )  # fmt: skip
    assert [(part.track, part.pitch.tolist()) for part in score.parts] == [
        (0, [72, 74, 76]), (0, [64, 65, 67]), (0, [67]), (1, [48, 50, 52]),
    ]  # fmt: skip
    assert not score.doubts


@pytest.mark.parametrize("merge", [["*v *v *v *v"], ["*v *v * *", "* *v *v"]])
def test_two_staves_merge_apart(merge):
    score = read_kern(
        kern("**kern **kern", "*^ *^", "2C 2E 2c 2e", "2C 2E 2c 2e", *merge, "= =", "2D 2d", "2D 2d", "== ==")
    )
    assert [(part.track, len(part)) for part in score.parts] == [(0, 4), (0, 2), (1, 4), (1, 2)]
    assert not score.doubts


def test_all_neighbours_merge_where_one_column_follows():
    score = read_kern(kern("**kern", "*^", "*^ *", "2c 2e 2g", "*v *v *v", "2c", "=="))
    assert [len(part) for part in score.parts] == [2, 1, 1]


def test_a_column_that_splits_under_a_held_note():
    score = read_kern(kern("**kern **kern", "*M4/4 *M4/4", "1C 2c", "*^ *", ". 2E 2d", "*v *v *", "=2 =2", "1D 1e"))
    assert [notes(score, number) for number in range(3)] == [
        [(0, 60, 2), (2, 62, 2), (4, 64, 4)], [(0, 48, 4), (4, 50, 4)], [(2, 52, 2)],
    ]  # fmt: skip
    assert not score.doubts


def test_columns_change_places_begin_and_end():
    score = read_kern(
        kern(
            "**kern **text **kern", "*M2/4 * *M2/4", "2C . 2c", "=2 =2 =2", "*x * *x", "2d . 2D", "= = =", "*+ * *",
            "* **kern * *", "4e 4g . 2E", "4e 4g . .", "= = = =", "* *- * *", "2f . 2F", "== == ==",
        )
    )  # fmt: skip
    assert [part.pitch.tolist() for part in score.parts] == [[67, 67], [60, 62, 64, 64, 65], [48, 50, 52, 53]]
    assert not [doubt for doubt in score.doubts if doubt.misplaces]


def test_a_second_piece_continues_the_parts_of_its_names():
    first = ["**kern **kern", "*Ibass *Icant", "*M2/2 *M2/2", "=1 =1", "1C 1c", "=2 =2", "1D 1d", "*- *-"]
    score = read_kern(kern(*first, "**kern", "*Icant", "*M3/2", "=3", "1.e", "=="))
    assert [(part.name, part.pitch.tolist()) for part in score.parts] == [
        ("Cantus", [60, 62, 64]), ("Bass", [48, 50]),
    ]  # fmt: skip
    assert score.meters == ((0, Meter(2, 2)), (8 * Q, Meter(3, 2)))
    assert [section.start // Q for section in score.repeats.sections] == [0, 8]


def test_ties_go_through_chords_and_splits():
    score = read_kern(
        kern("**kern", "*M2/4", "[2c+[2e", "=", "*^", "2e] [2c_", "*v *v", "=", "2c]+2e", "=", "[2g", "=", "2a]", "==")
    )
    assert notes(score) == [(0, 60, 6), (0, 64, 4), (4, 64, 2), (6, 67, 2), (8, 69, 2)]
    assert [doubt.text for doubt in score.doubts] == ["a tie comes from no note", "a tie goes to no note"]
    assert [doubt.bar for doubt in score.doubts] == ["5", "4"]


def test_a_tie_may_change_staves():
    score = read_kern(kern("**kern **kern", "*M2/4 *M2/4", "[2c [2e", "= =", "[2e] 2c]", "= =", "2e] 2g", "== =="))
    assert notes(score) == [(0, 60, 4), (0, 64, 6), (4, 67, 2)]
    assert not score.doubts


def test_a_rest_that_is_longer_than_its_bar_moves_nothing():
    score = read_kern(kern("**kern **kern", "*M3/4 *M3/4", "1r 2.c", "=2 =2", "2.D 2.d", "=3 =3", "1r 2.e", "== =="))
    assert notes(score) == [(0, 60, 3), (3, 50, 3), (3, 62, 3), (6, 64, 3)]
    assert [doubt.bar for doubt in score.doubts] == ["2", "3"]


def test_bars_pickup_and_repeats():
    score = read_kern(
        kern(
            "**kern", "*M3/4", "4c", "=1", "2.d", "=2:|!|:", "2e", "=:|!|:", "4f", "=3", "2.g", "=4||", "2.a", "=5a-",
            "2b", "==:|!",
        )
    )  # fmt: skip
    assert [bar.number for bar in score.bars] == ["0", "1", "2", "2", "3", "4", "5a"]
    assert score.pickup == Q
    sections = [(section.start // Q, section.end // Q) for section in score.repeats.sections]
    assert sections == [(0, 4), (4, 6), (6, 10), (10, 15)]
    assert score.repeats.order == (0, 0, 1, 1, 2, 3, 2, 3)
    assert not score.doubts


def test_bars_of_the_wrong_length_are_doubted():
    score = read_kern(kern("**kern", "*M3/4", "=1", "2.c", "=2", "2d", "=3", "1e", "=4", "2.f", "=5", "1.g", "=="))
    assert [(doubt.bar, doubt.misplaces) for doubt in score.doubts] == [("2", True), ("3", True), ("5", False)]
    assert score.doubts[0].text == "the bar is 2 quarter notes long, not 3"


def test_columns_that_do_not_meet_are_brought_together():
    score = read_kern(
        kern(
            "**kern **kern",
            "*M4/4 *M4/4",
            "=1 =1",
            "1C 2c",
            ". 4d",
            "=2 =2",
            "1D 1e",
            "=3 =3",
            "2E 1f",
            "1F .",
            "== ==",
        )
    )
    assert notes(score, 0) == [(0, 60, 2), (2, 62, 1), (4, 64, 4), (8, 65, 4)]
    assert notes(score, 1) == [(0, 48, 4), (4, 50, 4), (8, 52, 2), (10, 53, 4)]
    assert [(doubt.bar, doubt.misplaces) for doubt in score.doubts] == [("1", True), ("3", True)]


def test_a_note_over_a_barline():
    score = read_kern(kern("**kern **kern", "*M2/2 *M2/2", "0C 1c", "=2 =2", ". 1d", "=3 =3", "1D 1e", "== =="))
    assert notes(score, 1) == [(0, 48, 8), (8, 50, 4)]
    assert not score.doubts


SECTIONS = [f for name in "ABCD" for f in (f"*>{name}", "1c", f"={ord(name) - 63}")]


@pytest.mark.parametrize(
    ("order", "is_explicit"),
    [
        ("A,A,B,C,D", False), ("A,A,B,B,C,C,D,A,B", False), ("A,B,A,B,C,D", False), ("A,B,A,C,D", False),
        ("A,A,A,B,C,D,D", False), ("A,B,C,D", False), ("A,B,A,C,A,D,A", True), ("A,B,C,B,D,B", True),
    ],
)  # fmt: skip
def test_lists_of_sections(order, is_explicit):
    score = read_kern(kern("**kern", "*M4/4", f"*>[{order}]", "*>norep[A,B,C,D]", "=1", *SECTIONS[:-1], "=="))
    played = [score.repeats.sections[turn] for turn in score.repeats.order]
    bars = [bar for section in played for bar in range(section.start // (4 * Q), section.end // (4 * Q))]
    assert "".join("ABCD"[bar] for bar in bars) == order.replace(",", "")
    assert (score.played is not None) == is_explicit


def test_a_section_without_bars_is_doubted():
    score = read_kern(kern("**kern", "*M4/4", "*>[A,B]", "*>A", "*>B", "1c", "=2", "1d", "=="))
    assert [doubt.text for doubt in score.doubts] == ["its list of 2 sections does not fit their names"]


def test_the_list_of_sections_may_say_what_repeat_signs_say():
    score = read_kern(kern("**kern", "*M4/4", "*>[A,A,B]", "*>A", "1c", "=2:|!", "*>B", "1d", "=="))
    assert score.repeats == Repeats((Section(0, 4 * Q), Section(4 * Q, 8 * Q)), (0, 0, 1))
    assert score.played is None


@pytest.mark.parametrize(
    ("signs", "key", "is_stated"),
    [
        (["*k[f#]", "*G:"], "G major", True), (["*k[b-]", "*d:"], "D minor", True), (["*d:dor"], "D dorian", True),
        (["*k[]", "*G:mix"], "G mixolydian", True), (["*E:phr"], "E phrygian", True), (["*c#:"], "C# minor", True),
        (["*B-:"], "Bb major", True), (["*k[b-e-a-]"], "Eb major", False), (["*k[]", "*?:"], "C major", False),
        (["*F:ion"], "F major", True), (["*A:aeo"], "A minor", True),
    ],
)  # fmt: skip
def test_keys(signs, key, is_stated):
    score = read_kern(kern("**kern", *signs, "4c"))
    assert score.keys == ((0, Key.parse(key)),)
    assert score.keys_are_explicit == is_stated


@pytest.mark.parametrize(
    ("text", "meter", "quarters"),
    [("*M3/4", "3/4", 3), ("*M2+3/8", "5/8", Fraction(5, 2)), ("*M3/1", "3/1", 12), ("*M2/0", "4/1", 16)],
)
def test_meters(text, meter, quarters):
    assert parse_meter(text) == (Meter.parse(meter), quarters)


def test_tempo_title_names_and_transposition():
    score = read_kern(
        kern(
            "!!!COM: Anon.", "!!!OTL@EN: Song", "!!!OTL@@DE: Lied&amp;Weise", "**kern **kern",
            '*I"Klarinette\t*I"Flöte', "*ITrd1c2 *", "*MM[Allegro] *MM96.5", "*M4/4 *M4/4", "*met(c) *met(c)",
            "2c 2d", "*MM60 *", "2c 2d",
        )
    )  # fmt: skip
    assert score.title == "Lied&Weise"
    assert score.tempos == ((0, 96.5), (2 * Q, 60.0))
    assert [(part.name, part.pitch.tolist()) for part in score.parts] == [("Flöte", [62, 62]), ("Klarinette", [60, 60])]


def test_phrases():
    bars = ["{4c", "4d}", "=", "4e;", "4r;", "=", "(4f", "4g", "=", "4a)", "(8b)", "8a", "=", "4a,", "4g"]
    (part,) = read_kern(kern("**kern", "*M2/4", *bars)).parts
    assert [end / Q for end in part.phrase_ends] == [2, 3, 7, 9]


def test_verses_end_phrases():
    score = read_kern(
        kern("**kern **text **text", "4c Glo- a.", "4d ri- .", "4e a, .", "4f . .", "4g et .", "4a pax. .", "4r . .")
    )
    assert [end / Q for end in score.parts[0].phrase_ends] == [4, 6]


def test_chord_symbols():
    score = read_kern(
        kern("**kern **mxhm", "*M4/4 *", "1c\tC major", ". G:7", "=2 =2", "2d B-:min7", "2e rubbish", "== ==")
    )
    assert score.chords == (
        (0, Chord.parse("C")), (2 * Q, Chord.parse("G7")), (4 * Q, Chord.parse("Bbm7")),
    )  # fmt: skip
    assert parse_chord("C:maj/5") == Chord.parse("C/G")
    assert parse_chord("F# half-diminished/E") == Chord.parse("F#m7b5/E")
    assert parse_chord("N") == Chord(None)


def test_percussion():
    score = read_kern(kern("**kern **kern", "*clefX *clefG2", "4eR 4c", "4R+4r 4d"))
    assert [part.is_drums for part in score.parts] == [False, True]
    assert notes(score, 1) == [(0, 64, 1), (1, 38, 1)]


HARMFUL = {
    "empty": (b"", "it is empty"),
    "other text": (b"hello", "it is not in kern"),
    "no notes": (kern("**kern", "4r"), "it has no notes"),
    "a missing column": (b"**kern\t**kern\n4c\n", "line 2 has 1 columns, not 2"),
    "single spaces": (b"**kern **kern\n4C 4c\n", "line 1 parts its columns by single spaces"),
    "data first": (b"4c\n**kern\n", "line 1 stands before the first column"),
    "too high": (kern("**kern", "4" + "c" * 40), "it has a pitch that no instrument plays"),
    "too many columns": ("\t".join(["**kern"] * 600).encode() + b"\n" + b"\t".join([b"*^"] * 600), "line 2 makes more"),
    "no common unit": (kern("**kern", *(f"{number}c" for number in range(1000, 1200))), "its durations have no common"),
    "too long": (kern("**kern", *["000c"] * 4000), "it is longer than"),
}


@pytest.mark.parametrize("name", HARMFUL)
def test_what_cannot_be_read_is_refused(name):
    content, reason = HARMFUL[name]
    with pytest.raises(ScoreError) as caught:
        read_kern(content)
    assert caught.value.text.startswith(reason)
    assert caught.value.hint


def test_a_syllable_that_looks_like_a_comment():
    score = read_kern(b"**text\t**kern\nO\t4c\n!\t4d\n!\t!\n*-\t*-\n")
    assert notes(score) == [(0, 60, 1), (1, 62, 1)]


def test_spaces_between_columns_and_before_lines():
    spaced = b" **kern   **kern\n *M2/4   *M2/4\n 4C 4E   4c\n4D    4d\n*-    *-\n"
    assert notes(read_kern(spaced)) == [(0, 48, 1), (0, 52, 1), (0, 60, 1), (1, 50, 1), (1, 62, 1)]
    assert notes(read_kern(b"**kern\n4c  4e\n*-\n")) == [(0, 60, 1), (0, 64, 1)]


def test_barlines_that_are_not_drawn():
    score = read_kern(kern("**kern", "*M2/4", "=-", "4r", "=-", "4c", "=-", "2d", "=3", "2e"))
    assert [(bar.number, bar.end // Q) for bar in score.bars] == [("1", 2), ("2", 4), ("3", 6)]
    assert not score.doubts


def test_a_file_that_is_cut_off():
    score = read_kern(kern("**kern", "*M4/4", "=1", "1c", "=2", "2d", end=False))
    assert notes(score) == [(0, 60, 4), (4, 62, 2)]
    assert [doubt.text for doubt in score.doubts] == ["its columns do not end (*-): it may be cut off"]


@pytest.mark.parametrize("name", ["dotted_rational", "resplit"])
def test_cases(shared, name):
    score = read_kern((shared / "cases" / "kern" / f"{name}.krn").read_bytes())
    (answer,) = json.loads((shared / "cases" / "answers.json").read_text())[f"kern/{name}.krn"]
    assert notes(score) == sorted((onset, pitch, duration) for onset, pitch, duration in answer["notes"])
    assert not score.doubts


DISAGREEMENTS = {
    # music21 ties all notes of a chord where one is tied; by the reference each note has its own sign.
    "movement2.krn": ([(468.0, 74, 1.5), (469.5, 74, 1.5)], [(468.0, 74, 3.0)]),
    "movement4.krn": ([(444.0, 55, 2.0), (446.0, 55, 0.5)], [(444.0, 55, 2.5)]),
}


@pytest.mark.parametrize("step", [pytest.param(200, marks=pytest.mark.e2e), pytest.param(10, marks=pytest.mark.slow)])
def test_the_notes_of_music21s_files_are_those_of_music21(step):
    """All files but Palestrina's and the longest ones, and one in `step` of his."""
    music21 = pytest.importorskip("music21")
    files = sorted(Path(music21.__file__).parent.rglob("*.krn"))
    palestrina = [path for path in files if "palestrina" in path.parts]
    others = [path for path in files if path not in set(palestrina) and (step < 200 or path.stat().st_size < 50_000)]
    found = {}
    for path in [*others, *palestrina[::step]]:
        ours, theirs = Counter(notes(read_kern(path.read_bytes()))), Counter(notes_of_music21(path))
        if ours != theirs:
            found[path.name] = (sorted((ours - theirs).elements()), sorted((theirs - ours).elements()))
    assert found == {name: DISAGREEMENTS[name] for name in DISAGREEMENTS if name in [path.name for path in others]}


def notes_of_music21(path):
    """Its notes with ties joined, pieces of a file one after the other."""
    from music21 import converter

    whole = converter.parse(path, forceSource=True, storePickle=False)
    read: list[list[float]] = []
    start = Fraction(0)
    for piece in list(whole.scores) if "Opus" in whole.classes else [whole]:
        for part in piece.parts:
            tied: dict[int, list[float]] = {}
            for element in sorted(part.recurse().notes, key=lambda element: element.getOffsetInHierarchy(part)):
                if element.duration.isGrace:
                    continue
                onset = start + Fraction(element.getOffsetInHierarchy(part))
                end = onset + Fraction(element.duration.quarterLength)
                for head in element.notes if element.isChord else (element,):
                    kind = (head.tie or element.tie).type if head.tie or element.tie else ""
                    held = tied.pop(head.pitch.midi, None)
                    if kind in ("continue", "stop") and held is not None and held[2] == onset:
                        held[2] = end
                    else:
                        held = [onset, head.pitch.midi, end]
                        read.append(held)
                    if kind in ("start", "continue"):
                        tied[head.pitch.midi] = held
        start += Fraction(piece.highestTime)
    return [(round(onset * Q) / Q, pitch, round((end - onset) * Q) / Q) for onset, pitch, end in read]
