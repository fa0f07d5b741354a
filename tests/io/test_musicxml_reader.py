"""The reader of MusicXML: small scores by hand, its own writer, corpora, other readers, and damaged files."""

from __future__ import annotations

from pathlib import Path

import pytest

from cantilena.errors import ScoreError
from cantilena.io.notation.musicxml_reader import read_musicxml
from cantilena.music import Chord, Key, Meter

Q = 10080
"""Ticks a quarter note."""

SHARED = Path(__file__).parents[3] / "shared"
LIEDER = sorted((SHARED / "data" / "openscore-lieder").glob("**/*.mxl"))
needs_lieder = pytest.mark.skipif(not LIEDER, reason="the OpenScore Lieder corpus is not in ../shared")
needs_cases = pytest.mark.skipif(not (SHARED / "cases").is_dir(), reason="the cases are not in ../shared")

# Scores of one-letter notes: "C4:2" lasts two divisions, of which a quarter has four.


def note(text: str, *, before: str = "", after: str = "") -> str:
    """`C#4:2` as an element; `r:4` is a rest; elements `before` the pitch and `after` the duration."""
    name, _, duration = text.partition(":")
    alter = name.count("#") - name.count("b")
    step, octave = name[0].upper(), name[-1]
    what = (
        "<rest/>"
        if name == "r"
        else f"<pitch><step>{step}</step><alter>{alter}</alter><octave>{octave}</octave></pitch>"
    )
    lasts = f"<duration>{duration}</duration>" if duration else ""
    return f"<note>{before}{what}{lasts}{after}</note>"


def notes(text: str) -> str:
    return "".join(note(one) for one in text.split())


def attributes(meter: str = "4/4", more: str = "", key: str = "<key><fifths>0</fifths></key>") -> str:
    beats, unit = meter.split("/")
    return (
        f"<attributes><divisions>4</divisions>{key}<time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
        f"{more}</attributes>"
    )


def document(*parts: list[str], head: str = "", names: tuple[str, ...] = (), **first: str) -> str:
    """Parts of bars; a bar that begins with `<measure` is taken as it is."""
    listed = "".join(
        f'<score-part id="P{place}"><part-name>{names[place] if names else f"Part {place}"}</part-name></score-part>'
        for place in range(len(parts))
    )
    bodies = ""
    for place, bars in enumerate(parts):
        bodies += f'<part id="P{place}">'
        for number, bar in enumerate(bars, start=1):
            opening, bar = bar.split("|", 1) if bar.startswith("<measure") else (f'<measure number="{number}">', bar)
            bodies += opening + (attributes(**first) if number == 1 else "") + bar + "</measure>"
        bodies += "</part>"
    return f'<score-partwise version="4.0">{head}<part-list>{listed}</part-list>{bodies}</score-partwise>'


def read(*parts, **options):
    return read_musicxml(document(*parts, **options).encode())


def spans(part) -> list[tuple[float, float, int]]:
    """(onset, duration, pitch), times in quarters."""
    return [
        (onset / Q, duration / Q, pitch)
        for onset, duration, pitch in zip(part.onset.tolist(), part.duration.tolist(), part.pitch.tolist(), strict=True)
    ]


def doubts(score) -> list[str]:
    return [doubt.text for doubt in score.doubts]


WHOLE = notes("C4:16")
STYLE = "<measure-style><measure-repeat type='{}'>{}</measure-repeat></measure-style>"
REST = '<note><rest measure="yes"/><duration>16</duration></note>'

# Notes


def test_chords_backup_forward_and_voices():
    bar = (
        note("C5:8", after="<voice>1</voice>")
        + note("E5:8", before="<chord/>", after="<voice>1</voice>")
        + note("G5:8", after="<voice>1</voice>")
        + "<backup><duration>16</duration></backup><forward><duration>4</duration></forward>"
        + note("A3:12", after="<voice>2</voice>")
    )
    upper, lower = read([bar]).parts
    assert spans(upper) == [(0, 2, 72), (0, 2, 76), (2, 2, 79)]
    assert spans(lower) == [(1, 3, 57)]
    assert (upper.track, lower.track) == (0, 0)


def test_staves_are_tracks_and_numbers_of_voices_may_be_shared():
    def staff(number):
        return f"<voice>1</voice><staff>{number}</staff>"

    bar = note("C5:16", after=staff(1)) + "<backup><duration>16</duration></backup>" + note("C3:16", after=staff(2))
    score = read([bar], [WHOLE], more="<staves>2</staves>")
    assert [(part.track, spans(part)[0][2]) for part in score.parts][:2] == [(0, 72), (1, 48)]
    assert score.parts[2].track == 2 or score.parts[2].track == 3  # this head gives both parts two staves
    crossing = note("C5:8", after=staff(1)) + note("C3:8", after=staff(2))
    assert [spans(part) for part in read([crossing], more="<staves>2</staves>").parts] == [[(0, 2, 72), (2, 2, 48)]]


@pytest.mark.parametrize("tag", ["<tie type='{}'/>", "<notations><tied type='{}'/></notations>"])
def test_ties_join_across_bars_voices_and_chords(tag):
    start, stop = tag.format("start"), tag.format("stop")
    second = (
        note("C4:4", after="<voice>1</voice>")
        + note("E4:4", before="<chord/>", after=stop + "<voice>1</voice>")
        + notes("r:12")
        + "<backup><duration>16</duration></backup>"
        + note("C4:8", after=stop + "<voice>2</voice>")
    )
    score = read([note("C4:16", after=start) + note("E4:16", before="<chord/>", after=start), second])
    assert sorted(span for part in score.parts for span in spans(part)) == [(0, 5, 64), (0, 6, 60), (4, 1, 60)]
    assert not score.doubts


def test_ties_that_do_not_meet_are_doubted_and_let_ring_is_not():
    score = read([note("C4:16", after='<tie type="start"/>'), WHOLE, note("D4:16", after='<tie type="stop"/>'), WHOLE])
    assert doubts(score) == ["a tie begins nowhere", "a tie does not end"]
    assert [duration for _, duration, _ in spans(score.parts[0])] == [4, 4, 4, 4]
    ringing = note("C4:16", after='<notations><tied type="let-ring"/></notations>')
    assert not read([ringing, WHOLE]).doubts


def test_divisions_may_change_and_need_not_divide_a_tick():
    change = "<attributes><divisions>{}</divisions></attributes>"
    triplets = change.format(11) + notes("D4:11 E4:11 F4:11 G4:11") + change.format("2.5")
    score = read([triplets, notes("A4:5 B4:5")])
    assert spans(score.parts[0]) == [(0, 1, 62), (1, 1, 64), (2, 1, 65), (3, 1, 67), (4, 2, 69), (6, 2, 71)]


def test_rounded_tuplets_do_not_move_the_barline():
    head = "<attributes><divisions>256</divisions></attributes>"
    tuplets = " ".join(["C4:85"] * 12)
    score = read([head + notes(tuplets), notes("D4:1024")])
    assert score.bars[1].start == 4 * Q
    assert not score.doubts


def test_rounded_tuplets_may_be_tied_and_need_not_fill_what_a_backup_goes_back():
    head = "<attributes><divisions>256</divisions></attributes>"
    lower = note("C4:85", after='<voice>2</voice><tie type="start"/>')
    held = note("C4:1024", after='<voice>2</voice><tie type="stop"/>')
    upper = notes("G4:1024") + "<backup><duration>1024</duration></backup>"
    score = read([head + upper + notes("C5:85 " * 11) + lower, upper + held])
    assert spans(score.parts[1])[0][0] + spans(score.parts[1])[0][1] == 8
    assert not score.doubts
    back = notes("C5:85 " * 12) + "<backup><duration>1024</duration></backup>" + note("E4:1024")
    assert not read([head + back]).doubts


def test_durations_fall_back_on_the_note_type():
    dotted = note("C4", after="<type>quarter</type><dot/>")
    third = note(
        "D4",
        after="<type>quarter</type><time-modification><actual-notes>3</actual-notes>"
        "<normal-notes>2</normal-notes></time-modification>",
    )
    score = read([dotted + third * 3 + notes("r:2")])
    assert [round(duration, 3) for _, duration, _ in spans(score.parts[0])] == [1.5, 0.667, 0.667, 0.667]
    silent = read([note("C4") + WHOLE])
    assert (silent.lost, doubts(silent)) == (1, ["a note does not say how long it lasts"])


def test_grace_and_cue_notes_are_silent_and_counted():
    grace = note("D5", before='<grace slash="yes"/>', after='<tie type="start"/>')
    back = note("D5", before="<grace/>", after='<tie type="stop"/>')
    ties = '<tie type="stop"/><tie type="start"/>'
    score = read([grace + note("D5:8", after=ties) + back + note("E5:8", before="<cue/>")])
    assert (spans(score.parts[0]), score.lost, doubts(score)) == ([(0, 2, 74)], 3, [])


def test_microtones_are_rounded_down_and_pitches_outside_refused():
    quarter_tone = "<note><pitch><step>B</step><alter>{}</alter><octave>4</octave></pitch><duration>8</duration></note>"
    score = read([quarter_tone.format("-1.5") + quarter_tone.format("0.5")])
    assert [pitch for _, _, pitch in spans(score.parts[0])] == [69, 71]
    assert doubts(score) == ["2 notes between semitones are rounded down"]
    with pytest.raises(ScoreError, match="no instrument plays"):
        read([note("C4:16").replace("<octave>4", "<octave>11")])


def test_transposition_octave_shifts_and_clefs():
    horn = "<transpose><diatonic>-4</diatonic><chromatic>-7</chromatic><octave-change>-1</octave-change></transpose>"
    back = "<attributes><transpose><chromatic>0</chromatic></transpose></attributes>"
    shift = '<direction><direction-type><octave-shift type="down" size="8"/></direction-type></direction>'
    clef = "<clef><sign>G</sign><line>2</line><clef-octave-change>-1</clef-octave-change></clef>"
    score = read([shift + WHOLE, back + WHOLE], more=horn + clef)
    assert [pitch for _, _, pitch in spans(score.parts[0])] == [60 - 19, 60]


def test_transposition_by_staff():
    more = '<staves>2</staves><transpose number="2"><chromatic>-2</chromatic></transpose>'
    upper = note("C5:16", after="<voice>1</voice><staff>1</staff>")
    lower = note("C4:16", after="<voice>5</voice><staff>2</staff>")
    score = read([upper + "<backup><duration>16</duration></backup>" + lower], more=more)
    assert [part.pitch.tolist() for part in score.parts] == [[72], [58]]


def test_percussion():
    drum = (
        "<note><unpitched><display-step>E</display-step><display-octave>4</display-octave></unpitched>"
        '<duration>16</duration><instrument id="P0-I{}"/></note>'
    )
    text = document([drum.format(1), drum.format(2)]).replace(
        "</part-name>",
        '</part-name><midi-instrument id="P0-I1"><midi-unpitched>36</midi-unpitched></midi-instrument>'
        '<midi-instrument id="P0-I2"><midi-unpitched>43</midi-unpitched></midi-instrument>',
    )
    (part,) = read_musicxml(text.encode()).parts
    assert (part.is_drums, part.pitch.tolist()) == (True, [35, 42])
    assert read([drum.format(1)]).parts[0].pitch.tolist() == [38]


# Bars


def test_a_short_bar_in_one_part_does_not_move_the_others():
    score = read([WHOLE, notes("D4:12"), WHOLE], [WHOLE, WHOLE, WHOLE])
    assert [onset for onset, _, _ in spans(score.parts[0])] == [0, 4, 8]
    (doubt,) = score.doubts
    assert (doubt.text, doubt.bar, doubt.voice, doubt.misplaces) == (
        "its bar ends after 3 of 4 quarters",
        "2",
        "Part 0",
        True,
    )


def test_a_rest_of_a_whole_bar_is_as_long_as_the_bar():
    too_long = '<note><rest measure="yes"/><duration>16</duration></note>'
    score = read([notes("C4:12"), too_long, notes("D4:12")], [too_long, too_long, notes("E4:12")], meter="3/4")
    assert [bar.start / Q for bar in score.bars] == [0, 3, 6]
    assert not score.doubts
    alone = read([too_long, notes("D4:12")], meter="3/4")
    assert alone.bars[1].start == 3 * Q
    without = '<note><rest measure="yes"/></note><backup><duration>12</duration></backup>' + notes("E4:12")
    assert not read([without], meter="3/4").doubts
    # The others agree that the bar is whole, whatever the short one holds.
    short = read([notes("C4:16"), notes("D4:12"), WHOLE], [REST, REST, WHOLE])
    assert short.bars[1].end == 8 * Q


@pytest.mark.parametrize("implicit", ['<measure number="0" implicit="yes">|', '<measure number="0">|'])
def test_pickups(implicit):
    score = read([implicit + notes("G4:4"), WHOLE, notes("C4:12")], [implicit + notes("r:4"), WHOLE, notes("r:12")])
    assert (score.pickup, score.bars[1].start, score.bars[0].number) == (Q, Q, "0")
    assert not score.doubts


def test_bars_split_at_repeats_and_short_ends_of_sections_are_no_doubts():
    close = '<barline location="right"><bar-style>light-heavy</bar-style><repeat direction="backward"/></barline>'
    score = read([notes("G4:4"), WHOLE, notes("C4:12") + close, notes("G4:4"), WHOLE, notes("C4:12")])
    assert not score.doubts
    split = read([WHOLE, notes("C4:8"), '<measure number="X1" implicit="yes">|' + notes("D4:8"), WHOLE])
    assert not split.doubts
    assert split.bars[2].number == "X1"


@pytest.mark.parametrize("length", [12, 20])
def test_a_bar_that_its_meter_does_not_explain(length):
    score = read([WHOLE, WHOLE, notes(f"C4:{length}"), WHOLE, WHOLE])
    (doubt,) = score.doubts
    assert (doubt.bar, doubt.misplaces) == ("3", True)
    assert score.bars[3].start == (8 + length // 4) * Q
    # Where all parts agree, it is meant: a cadenza.
    assert not read(*[[WHOLE, WHOLE, notes(f"C4:{length}"), WHOLE, WHOLE]] * 2).doubts


def test_parts_with_fewer_measures_and_measures_without_notes():
    score = read([WHOLE, "", WHOLE], [WHOLE])
    assert [bar.start // Q for bar in score.bars] == [0, 4, 8]
    assert doubts(score) == ["it has 1 of the 3 bars of the piece"]


def test_a_voice_that_begins_before_its_bar():
    score = read([WHOLE + "<backup><duration>32</duration></backup>" + note("E4:16", after="<voice>2</voice>")])
    assert score.doubts[0].misplaces
    assert spans(score.parts[1]) == [(0, 4, 64)]


def test_signs_that_repeat_bars():
    style = f"<attributes>{STYLE}</attributes>"
    bars = [notes("C4:8 D4:8"), style.format("start", 1), "", style.format("stop", "") + REST, WHOLE]
    assert [pitch for _, _, pitch in spans(read(bars).parts[0])] == [60, 62, 60, 62, 60, 62, 60]
    two = [notes("C4:16"), notes("D4:16"), style.format("start", 2) + REST, REST, style.format("stop", "") + REST]
    assert spans(read(two).parts[0]) == [(0, 4, 60), (4, 4, 62), (8, 4, 60), (12, 4, 62)]
    slash = "<attributes><measure-style><slash type='start'/></measure-style></attributes>"
    assert doubts(read([WHOLE, slash + REST])) == ["slashes stand for notes that the file does not write out"]


def barline(location, inner):
    return f'<barline location="{location}">{inner}</barline>'


def test_repeats_endings_and_double_bars():
    forward = barline("left", '<bar-style>heavy-light</bar-style><repeat direction="forward"/>')
    first = (
        barline("left", '<ending number="1, 2" type="start"/>'),
        barline("right", '<ending number="1, 2" type="stop"/><repeat direction="backward"/>'),
    )
    last = (
        barline("left", '<ending number="3" type="start"/>'),
        barline("right", '<ending number="3" type="discontinue"/>'),
    )
    double = barline("right", "<bar-style>light-light</bar-style>")
    score = read(
        [WHOLE, forward + WHOLE, first[0] + WHOLE + first[1], last[0] + WHOLE + last[1], WHOLE + double, WHOLE]
    )
    bars = score.bars
    assert [bar.opens_repeat for bar in bars] == [False, True, False, False, False, False]
    assert [bar.endings for bar in bars] == [(), (), (1, 2), (3,), (), ()]
    assert [bar.closes_repeat for bar in bars] == [0, 0, 2, 0, 0, 0]
    assert [bar.ends_section for bar in bars] == [False, False, False, False, True, False]
    sections = score.repeats
    played = [sections.sections[place].start // (4 * Q) for place in sections.order]
    assert played == [0, 1, 2, 1, 2, 1, 3, 4, 5]


def test_repeats_in_the_second_part_and_their_times():
    close = barline("right", '<repeat direction="backward" times="3"/>')
    score = read([WHOLE, WHOLE], [WHOLE + close, WHOLE])
    assert score.repeats.order == (0, 0, 0, 1)


def words(text, sound="", extra=""):
    return f"<direction><direction-type>{extra}<words>{text}</words></direction-type>{sound}</direction>"


SEGNO, CODA = "<direction-type><segno/></direction-type>", "<direction-type><coda/></direction-type>"


@pytest.mark.parametrize(
    ("segno", "to_coda", "jump", "coda"),
    [
        (
            f'<direction>{SEGNO}<sound segno="a"/></direction>',
            f'<direction>{CODA}<sound tocoda="b"/></direction>',
            words("D.S. al Coda", '<sound dalsegno="a"/>'),
            f'<direction>{CODA}<sound coda="b"/></direction>',
        ),
        (
            f"<direction>{SEGNO}</direction>",
            f"<direction>{CODA}</direction>",
            words("D.S. al Coda"),
            f"<direction>{CODA}</direction>",
        ),
        (f"<direction>{SEGNO}</direction>", words("To Coda"), words("dal segno al Coda"), words("Coda")),
        ('<sound segno="a"/>', '<sound tocoda="b"/>', '<sound dalsegno="a"/>', '<sound coda="b"/>'),
    ],
)
def test_jumps(segno, to_coda, jump, coda):
    score = read([WHOLE, segno + WHOLE, WHOLE + to_coda, WHOLE + jump, coda + WHOLE])
    assert [bar.begins for bar in score.bars] == ["", "segno", "", "", "coda"]
    assert [bar.jump for bar in score.bars] == ["", "", "tocoda", "dalsegno", ""]
    played = [score.repeats.sections[place].start // (4 * Q) for place in score.repeats.order]
    assert played == [0, 1, 3, 1, 4]


def test_a_coda_sign_with_a_word_beside_it_leads_nowhere():
    coda = f'<direction>{CODA}<sound coda="b"/></direction><direction>{CODA}</direction>' + words("Coda")
    score = read([WHOLE, words("D.C.") + WHOLE, coda + WHOLE])
    assert [(bar.begins, bar.jump) for bar in score.bars] == [("", ""), ("", "dacapo"), ("coda", "")]


def test_da_capo_al_fine():
    score = read([WHOLE + words("Fine", '<sound fine="yes"/>'), WHOLE + words("D.C. al Fine", '<sound dacapo="yes"/>')])
    assert [bar.jump for bar in score.bars] == ["fine", "dacapo"]
    assert score.repeats.order == (0, 1, 0)
    assert [bar.jump for bar in read([WHOLE + words("Fine"), WHOLE + words("Da Capo al Fine")]).bars] == [
        "fine",
        "dacapo",
    ]
    assert [bar.jump for bar in read([WHOLE + words("con sord. s.p."), words("Fine tempo") + WHOLE]).bars] == ["", ""]


# Meter, key and tempo


@pytest.mark.parametrize(
    ("time", "meter"),
    [
        ("<beats>3+2</beats><beat-type>8</beat-type>", Meter(5, 8)),
        ("<beats>3</beats><beat-type>8</beat-type><beats>2</beats><beat-type>8</beat-type>", Meter(5, 8)),
        ("<beats>2</beats><beat-type>4</beat-type><beats>3</beats><beat-type>8</beat-type>", Meter(7, 8)),
        (
            "<beats>3</beats><beat-type>4</beat-type><interchangeable><beats>6</beats><beat-type>8</beat-type>"
            "</interchangeable>",
            Meter(3, 4),
        ),
    ],
)
def test_meters(time, meter):
    bar = f"<attributes><divisions>4</divisions><time>{time}</time></attributes>" + notes("C4:2") * (
        meter.numerator * 8 // meter.denominator
    )
    text = f'<score-partwise><part id="P1"><measure>{bar}</measure></part></score-partwise>'
    score = read_musicxml(text.encode())
    assert (score.meters, doubts(score)) == (((0, meter),), [])


def test_no_meter_and_unknown_meters():
    senza = "<attributes><time><senza-misura/></time></attributes>"
    score = read([senza + notes("C4:28"), notes("C4:4")])
    assert (score.meters, doubts(score)) == ((), [])
    assert [bar.end // Q for bar in score.bars] == [7, 8]
    strange = "<attributes><time><beats>x</beats><beat-type>5</beat-type></time></attributes>"
    assert doubts(read([WHOLE, strange + WHOLE])) == ["a time signature is not known and is left out"]


def test_parts_of_different_meters_are_doubted():
    six = "<attributes><divisions>4</divisions><time><beats>6</beats><beat-type>8</beat-type></time></attributes>"
    two = "<attributes><divisions>4</divisions><time><beats>2</beats><beat-type>4</beat-type></time></attributes>"
    score = read([two + notes("C4:8")] * 2, [six + notes("C4:12")] * 2)
    assert score.meters == ((0, Meter(6, 8)),)
    assert all(doubt.misplaces for doubt in score.doubts)
    assert len(score.doubts) == 3


def test_a_meter_that_one_part_states():
    three = "<attributes><time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
    score = read([WHOLE, three + notes("D4:12"), notes("E4:12")], [WHOLE, notes("D3:12"), notes("E3:12")])
    assert (score.meters, doubts(score)) == (((0, Meter(4, 4)), (4 * Q, Meter(3, 4))), [])


@pytest.mark.parametrize(
    ("key", "expected", "is_explicit"),
    [
        ("<fifths>-2</fifths>", "Bb major", False),
        ("<fifths>-2</fifths><mode>none</mode>", "Bb major", False),
        ("<fifths>-2</fifths><mode>major</mode>", "Bb major", True),
        ("<cancel>1</cancel><fifths>1</fifths><mode>minor</mode>", "E minor", True),
        ("<fifths>2</fifths><mode>dorian</mode>", "E dorian", True),
        ("<fifths>0</fifths><mode>mixolydian</mode>", "G mixolydian", True),
        ("<fifths>0</fifths><mode>Ionian</mode>", "C major", True),
        ("<fifths>3</fifths><mode>aeolian</mode>", "F# minor", True),
        ("<fifths>0</fifths><mode>locrian</mode>", "B locrian", True),
    ],
)
def test_keys_and_modes(key, expected, is_explicit):
    score = read([WHOLE], key=f"<key>{key}</key>")
    assert (score.keys, score.keys_are_explicit) == (((0, Key.parse(expected)),), is_explicit)


def test_keys_sound_as_the_parts_do():
    clarinet = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    key = "<key><fifths>2</fifths><mode>major</mode></key>"
    assert read([WHOLE], key=key, more=clarinet).keys == ((0, Key.parse("C major")),)
    flute = "<attributes><key><fifths>0</fifths><mode>minor</mode></key></attributes>" + WHOLE
    text = document([WHOLE], [WHOLE], key=key).replace("</attributes>", clarinet + "</attributes>", 1)
    head, _, tail = text.rpartition(WHOLE)
    assert read_musicxml((head + flute + tail).encode()).keys[-1] == (0, Key.parse("A minor"))
    strange = "<key><key-step>F</key-step><key-alter>1</key-alter></key>"
    assert doubts(read([WHOLE], key=strange)) == ["a key signature is not in fifths and is left out"]


def metronome(unit, rate, dots=0):
    return (
        f"<direction><direction-type><metronome><beat-unit>{unit}</beat-unit>{'<beat-unit-dot/>' * dots}"
        f"<per-minute>{rate}</per-minute></metronome></direction-type></direction>"
    )


def test_tempos():
    late = '<sound tempo="90"><offset>8</offset></sound>'
    score = read([metronome("quarter", "c. 60", 1) + late + WHOLE, '<sound tempo="72.5"/>' + WHOLE])
    assert score.tempos == ((0, 90.0), (4 * Q, 72.5)) or score.tempos == ((0, 90.0), (2 * Q, 90.0), (4 * Q, 72.5))
    assert read([metronome("half", "66-72") + WHOLE]).tempos == ((0, 132.0),)
    modulation = metronome("quarter", "").replace("<per-minute></per-minute>", "<beat-unit>eighth</beat-unit>")
    assert doubts(read([modulation + WHOLE])) == ["a tempo in terms of the one before is left out"]
    drawn = (
        "<direction><direction-type><words>slow</words></direction-type><offset>8</offset>"
        '<sound tempo="50"/></direction>'
    )
    assert read([drawn + WHOLE]).tempos == ((0, 50.0),)
    sounding = drawn.replace("<offset>", '<offset sound="yes">')
    assert read([sounding + WHOLE]).tempos == ((0, 120.0), (2 * Q, 50.0))


# Chords and phrases


def harmony(root, kind, *, alter=0, text="", bass="", degrees="", offset=0):
    return (
        f"<harmony><root><root-step>{root}</root-step><root-alter>{alter}</root-alter></root>"
        f'<kind text="{text}">{kind}</kind>{f"<bass><bass-step>{bass}</bass-step></bass>" if bass else ""}{degrees}'
        f"<offset>{offset}</offset></harmony>"
    )


def degree(value, alter, kind):
    return (
        f"<degree><degree-value>{value}</degree-value><degree-alter>{alter}</degree-alter>"
        f"<degree-type>{kind}</degree-type></degree>"
    )


@pytest.mark.parametrize(
    ("element", "symbol"),
    [
        (harmony("C", "major"), "C"),
        (harmony("B", "minor-seventh", alter=-1), "Bbm7"),
        (harmony("F", "half-diminished", alter=1), "F#m7b5"),
        (harmony("G", "dominant-13th", bass="B"), "G7/B"),
        (harmony("D", "suspended-fourth"), "Dsus4"),
        (harmony("D", "suspended-fourth", degrees=degree(7, 0, "add")), "D7sus4"),
        (harmony("D", "dominant", degrees=degree(4, 0, "add") + degree(3, 0, "subtract")), "D7sus4"),
        (harmony("A", "minor-seventh", degrees=degree(5, -1, "alter")), "Am7b5"),
        (harmony("A", "major", degrees=degree(5, 1, "alter")), "Aaug"),
        (harmony("A", "dominant", degrees=degree(9, -1, "add") + degree(11, 1, "add")), "A7"),
        (harmony("E", "other", text="7alt"), "E7"),
        (harmony("E", "min7"), "Em7"),
        (harmony("E", "augmented-seventh"), "E7"),
        (harmony("C", "none", text="N.C."), "N.C."),
        (harmony("C", "major").replace("</kind>", "</kind><inversion>1</inversion>"), "C/E"),
    ],
)
def test_chord_symbols(element, symbol):
    assert [str(chord) for _, chord in read([element + WHOLE]).chords] == [symbol]


def test_chords_in_time_transposed_and_unknown():
    two = harmony("C", "major") + harmony("G", "dominant", offset=8) + WHOLE + harmony("F", "major", offset=-4)
    found = read([two], more="<transpose><chromatic>-2</chromatic></transpose>").chords
    assert found == ((0, Chord.parse("Bb")), (2 * Q, Chord.parse("F7")), (3 * Q, Chord.parse("Eb")))
    roman = "<harmony><function>IV</function><kind>major</kind></harmony>"
    score = read([roman + WHOLE, harmony("C", "none", text="III") + WHOLE, harmony("C", "Italian") + WHOLE])
    assert (score.chords, len(score.doubts)) == ((), 3)


def lyric(text, syllabic="single", more=""):
    return f'<lyric number="1"><syllabic>{syllabic}</syllabic><text>{text}</text>{more}</lyric>'


def marked(pitch, *marks):
    return note(pitch, after="<notations>" + "".join(marks) + "</notations>")


def test_phrase_ends():
    slur = '<slur type="{}" number="1"/>'
    score = read(
        [
            marked("C4:4", "<fermata/>")
            + marked("D4:4", "<articulations><breath-mark/></articulations>")
            + notes("E4:8"),
            marked("C4:8", slur.format("start")) + marked("D4:8", slur.format("stop")),
            marked("C4:4", slur.format("start")) + marked("D4:4", slur.format("stop")) + notes("E4:8"),
            note("C4:4", after=lyric("Lie")) + note("D4:4", after=lyric("be!”", "end")) + notes("E4:4 r:4"),
            note("C4:8", after=lyric("a,", "begin")) + note("D4:8", after=lyric("b", "end", "<end-line/>")),
            notes("C4:16") + barline("right", "<fermata/>"),
        ]
    )
    assert [tick / Q for tick in score.parts[0].phrase_ends] == [1, 2, 8, 15, 24]


# The document


def test_titles_names_and_missing_ids():
    head = "<work><work-title>Suite</work-title></work><movement-title>Air</movement-title>"
    score = read([WHOLE], head=head, names=("Oboe\nd'amore",))
    assert (score.title, score.parts[0].name) == ("Suite: Air", "Oboe d'amore")
    assert read([WHOLE], head="<movement-title>Air</movement-title>").title == "Air"
    credit = '<credit page="1"><credit-words font-size="{}">{}</credit-words></credit>'
    assert read([WHOLE], head=credit.format(10, "A. Author") + credit.format(24, "Air")).title == "Air"
    text = document([WHOLE], names=("Flute",)).replace('<part id="P0">', "<part>")
    assert read_musicxml(text.encode()).parts[0].name == "Flute"


def test_scores_by_time_and_with_namespaces():
    bars = [f'<measure number="{k}"><part id="P0">{b}</part>{p}</measure>' for k, b, p in (
        (1, attributes() + WHOLE, f'<part id="P1">{attributes()}{notes("E4:16")}</part>'),
        (2, WHOLE, ""),
        (3, WHOLE, f'<part id="P1">{notes("G4:16")}</part>'),
    )]  # fmt: skip
    score = read_musicxml(f"<score-timewise>{''.join(bars)}</score-timewise>".encode())
    assert [[onset for onset, _, _ in spans(part)] for part in score.parts] == [[0, 4, 8], [0, 8]]
    assert [bar.number for bar in score.bars] == ["1", "2", "3"]
    text = document([WHOLE]).replace("<score-partwise", '<score-partwise xmlns="http://example.org/mxl"')
    assert len(read_musicxml(text.encode()).parts) == 1
