"""Forms: how they are written, and how they are found in notes and repeats."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import UsageError
from cantilena.metrics import form_f1
from cantilena.music import (
    MOST_BARS,
    MOST_SECTIONS,
    VARIED,
    Form,
    FormSection,
    Key,
    Melody,
    Meter,
    Note,
    Repeats,
    Section,
    find_form,
    find_returns,
    form_bar_starts,
    written_form,
)

C = Key.parse("C major")


@pytest.mark.parametrize(
    ("text", "bars", "written"),
    [
        ("AABA", 32, "A8A8B8A8"),
        ("AABA", None, "A4A4B4A4"),
        ("aaba", 16, "A4A4B4A4"),
        ("A8A8B8A8", None, "A8A8B8A8"),
        ("A8A8B8A8", 32, "A8A8B8A8"),
        ("A4 A'4 B8", None, "A4A'4B8"),
        ("AA’B", 12, "A4A'4B4"),
        ("ABCA'C", 5, "A1B1C1A'1C1"),
        ("A1024", None, "A1024"),
    ],
)
def test_forms_as_they_are_written(text: str, bars: int | None, written: str) -> None:
    assert str(Form.parse(text, bars)) == written


@pytest.mark.parametrize(
    ("text", "bars", "words"),
    [
        ("", None, "is not a form"),
        ("A8-B8", None, "'A8-B8' is not a form"),
        ("8A", None, "is not a form"),
        ("Ä8", None, "is not a form"),
        ("A٣", None, "is not a form"),
        ("A8B", None, "without a number of bars"),
        ("A0", None, "without a number of bars, or with none"),
        ("A8A4", None, "A has 8 bars, then 4"),
        ("A'4A4", None, "varies A before there is one"),
        ("A8A8B8A8", 16, "has 32 bars, not 16"),
        ("A", 0, "cannot have 0 bars"),
        ("A", 1025, "cannot have 1,025 bars"),
        ("A1000B25", None, "cannot have 1,025 bars"),
        ("A" + "9" * 5000, None, "too long"),
        ("AB" * 33, 66, "cannot have 66 sections"),
    ],
)
def test_wrong_forms_are_refused_in_a_line(text: str, bars: int | None, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        Form.parse(text, bars)
    assert words in refused.value.text
    assert refused.value.hint
    assert all(len(line) < 160 and "\n" not in line for line in (refused.value.text, refused.value.hint))


@pytest.mark.parametrize(
    ("text", "bars", "near"),
    [
        ("AAB", None, "15 or 18"),
        ("AABA", 30, "28 or 32"),
        ("AABA", 2, "4 or 8"),
        ("AAB", 1024, "1,020 or 1,023"),
        ("AAB", 7, "6 or 9"),
    ],
)
def test_bars_that_do_not_divide_name_the_nearest_that_do(text: str, bars: int | None, near: str) -> None:
    with pytest.raises(UsageError, match="cannot be shared equally") as refused:
        Form.parse(text, bars)
    assert f"give {near} bars" in refused.value.hint


def test_an_unknown_ending_is_refused() -> None:
    with pytest.raises(UsageError, match="'plagal' is not a cadence"):
        Form.parse("AABA", ending="plagal")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sections",
    [
        (),
        (FormSection("A", 2, 4),),
        (FormSection("A", 1, 4), FormSection("B", 6, 8)),
        (FormSection("A", 1, 0),),
        (FormSection("a", 1, 4),),
        (FormSection("A", 1, 4, "literal"),),
        (FormSection("A", 1, 4), FormSection("A", 5, 8)),
        (FormSection("A", 1, 4), FormSection("A", 5, 9, "literal")),
        (FormSection("A", 1, 4, "old"),),  # type: ignore[arg-type]
        (FormSection("A", 1, MOST_BARS + 1),),
    ],
)
def test_sections_that_make_no_form_are_refused(sections: tuple[FormSection, ...]) -> None:
    with pytest.raises(UsageError):
        Form(sections)


@pytest.mark.parametrize("ends", [(4,), (4, 4, 8), (8, 4), (4, 8, 9), (0, 8)])
def test_phrases_that_do_not_fit_are_refused(ends: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="do not fit the form A8"):
        Form((FormSection("A", 1, 8),), ends)


@pytest.mark.parametrize(
    ("text", "ends"),
    [("A8", (4, 8)), ("A5", (5,)), ("A6", (2, 6)), ("A7", (3, 7)), ("A9", (5, 9)), ("A1B2", (1, 3)), ("A3", (3,))],
)
def test_phrases_of_four_bars_are_counted_back_from_the_end_of_sections(text: str, ends: tuple[int, ...]) -> None:
    assert Form.parse(text).phrase_ends == ends


def test_each_bar_of_a_form() -> None:
    form = Form.parse("A4A'4B8A4")
    assert [form.lag_of(bar) for bar in (1, 4, 5, 8, 9, 17, 20)] == [0, 0, 4, 4, 0, 16, 16]
    assert [form.kind_of(bar) for bar in (4, 5, 9, 17)] == ["new", "varied", "new", "literal"]
    assert [form.place_of(bar) for bar in (1, 4, 5, 16)] == [(1, 4), (4, 4), (1, 4), (4, 4)]
    assert form.letters == "AA'BA"
    for wrong in (0, 21):
        with pytest.raises(UsageError, match=f"has no bar {wrong}"):
            form.lag_of(wrong)


def test_the_plan_is_json_with_labels_bars_and_returns() -> None:
    assert Form.parse("AA'B", 12, ending="open").plan() == {
        "bars": 12,
        "sections": [
            {"label": "A", "bars": [1, 4], "return": "new"},
            {"label": "A", "bars": [5, 8], "return": "varied"},
            {"label": "B", "bars": [9, 12], "return": "new"},
        ],
        "cadence": "open",
    }


@st.composite
def forms(draw: st.DrawFn, longest: int = 16, most: int = MOST_SECTIONS) -> Form:
    """A form of some sections of up to `longest` bars."""
    names = draw(st.lists(st.tuples(st.sampled_from("ABCXYZ"), st.booleans()), min_size=1, max_size=most))
    lengths = draw(st.fixed_dictionaries({letter: st.integers(1, longest) for letter in "ABCXYZ"}))
    sections: list[FormSection] = []
    for letter, varies in names:
        first = sections[-1].last + 1 if sections else 1
        seen = letter in {one.label for one in sections}
        kind = ("varied" if varies else "literal") if seen else "new"
        sections.append(FormSection(letter, first, first + lengths[letter] - 1, kind))  # type: ignore[arg-type]
    return Form((*sections[:-1], replace(sections[-1], cadence="half")))


@given(forms())
def test_a_form_that_is_written_and_parsed_is_the_same(form: Form) -> None:
    assert Form.parse(str(form), form.bars, ending="half") == form
    assert form.bars == sum(section.bars for section in form.sections)
    assert hash(form) == hash(Form.parse(str(form), ending="half"))


@given(forms())
def test_a_bar_that_returns_lies_at_the_same_place_of_the_first_section_of_its_letter(form: Form) -> None:
    for bar in range(1, form.bars + 1):
        section, lag = form.section_of(bar), form.lag_of(bar)
        source = form.section_of(bar - lag)
        assert (source.label, source.kind) == (section.label, "new")
        assert bar - section.first == bar - lag - source.first
        assert (lag == 0) == (form.kind_of(bar) == "new")
        place, length = form.place_of(bar)
        assert 1 <= place <= length


# Melodies as lists of bars, and bars as lists of (pitch, ticks).
A = [[(60, 24), (64, 24), (67, 24), (64, 24)], [(65, 24), (69, 24), (67, 48)],
     [(64, 24), (67, 24), (72, 24), (67, 24)], [(62, 48), (60, 48)]]  # fmt: skip
B = [[(74, 48), (71, 48)], [(67, 24), (69, 24), (71, 48)], [(72, 36), (74, 12), (76, 48)], [(74, 96)]]
A_VARIED = [A[0], A[1], [(64, 24), (67, 24), (76, 24), (72, 24)], A[3]]


def tune(*sections: list[list[tuple[int, int]]], **fields: object) -> Melody:
    return Melody.from_pitches([note for bars in sections for bar in bars for note in bar], **fields)


def in_meter(bars: list[list[tuple[int, int]]], meter: Meter) -> list[list[tuple[int, int]]]:
    """Bars of other lengths with notes at the same proportions."""
    size = meter.ticks_per_bar
    return [[(pitch, ticks * size // 96) for pitch, ticks in bar] for bar in bars]


def with_pickups(*sections: list[list[tuple[int, int]]], ticks: int, meter: Meter) -> Melody:
    """The sections with an own pickup before each, which its last note gives way to."""
    notes: list[tuple[int, int]] = []
    for number, section in enumerate(sections):
        *before, (pitch, last) = [note for bar in section for note in bar]
        notes += [(55 + 2 * number, ticks), *before, (pitch, last - ticks)]
    return Melody.from_pitches(notes, meter=meter, pickup=ticks, key=C)


def test_a_song_form() -> None:
    form = find_form(tune(A, A, B, A, key=C))
    assert str(form) == "A4A4B4A4"
    assert [section.cadence for section in form.sections] == ["full", "full", "half", "full"]
    assert form.cadence == "full"


def test_a_varied_return() -> None:
    assert find_form(tune(A, A_VARIED, B, A_VARIED)).letters == "AA'BA'"


@pytest.mark.parametrize("meter", ["4/4", "3/4", "6/8", "2/2", "12/8"])
@pytest.mark.parametrize("pickup", [0, 6, 12])
def test_returns_in_other_meters_with_pickups(meter: str, pickup: int) -> None:
    measured = Meter.parse(meter)
    parts = [in_meter(part, measured) for part in (A, A, B, A)]
    melody = with_pickups(*parts, ticks=pickup, meter=measured) if pickup else tune(*parts, meter=measured)
    assert len(form_bar_starts(melody)) == 16
    assert find_form(melody).letters in ("AABA", "AA'BA'")
    assert form_f1(find_form(melody), Form.parse("AABA")) == 1


def test_transposed_bars_do_not_return() -> None:
    higher = [[(pitch + 5, ticks) for pitch, ticks in bar] for bar in A]
    assert "A" not in find_form(tune(A, higher)).letters[1:]
    assert [kind for _, kind in find_returns(tune(A, higher))][4:] == ["rhythm"] * 4


def test_a_shift_of_octave_or_title_does_not_change_the_form() -> None:
    melody = tune(A, A_VARIED, B, A, key=C)
    assert find_form(melody.transposed(5)) == find_form(melody) == find_form(replace(melody, title="Song"))


def test_returns_of_single_bars() -> None:
    assert find_returns(tune(A, A_VARIED))[4:] == [(4, "literal"), (4, "literal"), (4, "rhythm"), (4, "literal")]
    assert find_returns(Melody(())) == [(0, "new")]


@pytest.mark.parametrize(
    ("pitch", "cadence"),
    [(60, "full"), (72, "full"), (67, "half"), (71, "half"), (62, "half"), (64, "open"), (69, "open")],
)
def test_the_cadence_is_that_of_the_last_note(pitch: int, cadence: str) -> None:
    assert find_form(tune(A, [[(pitch, 96)]], key=C)).cadence == cadence


def test_melodies_without_notes_or_key_are_open() -> None:
    assert find_form(Melody(())).plan() == {
        "bars": 1, "sections": [{"label": "A", "bars": [1, 1], "return": "new"}], "cadence": "open",
    }  # fmt: skip
    assert find_form(Melody((), length=96 * 20)).bars == 20


@pytest.mark.parametrize(
    ("pickup", "lengths", "starts"),
    [
        (24, [24, 96, 72], [0, 96]),  # the last bar lacks the pickup
        (24, [24, 96, 96], [0, 120]),  # it does not: bar 1 is longer by the pickup
        (0, [96, 96], [0, 96]),
        (0, [96, 96, 48], [0, 48, 144]),  # phrases of half bars: the first bar is a half one
        (0, [96, 96, 24], [0, 96]),  # a last note alone belongs to the bar before
        (72, [72, 96, 24], [0, 96]),
        (72, [72, 96, 96], [0, 168]),
    ],
)
def test_bars_are_counted_back_from_the_end(pickup: int, lengths: list[int], starts: list[int]) -> None:
    melody = Melody.from_pitches([(60, ticks) for ticks in lengths], pickup=pickup)
    assert form_bar_starts(melody) == starts


def repeated(melody: Melody, cuts: list[tuple[int, int, tuple[int, ...]]], order: tuple[int, ...]) -> Melody:
    """The melody with sections from bar to bar, with the numbers of their endings."""
    return replace(melody, repeats=Repeats(tuple(Section(a * 96, b * 96, ends) for a, b, ends in cuts), order))


def test_written_repeats_are_sections_as_they_are_played() -> None:
    melody = repeated(tune(A, B, B), [(0, 4, ()), (4, 12, ())], (0, 0, 1, 1))
    assert str(written_form(melody)) == "A4A4B8B8"
    assert str(find_form(melody)) == "A4A4B8B8"  # though B8 has a return of its own


def test_what_is_played_once_is_compared_with_what_is_repeated() -> None:
    melody = repeated(tune(A, B, A), [(0, 4, ()), (4, 12, ())], (0, 0, 1))
    assert str(written_form(melody)) == "A4A4B8"
    assert str(find_form(melody)) == "A4A4B4A4"


def test_another_ending_is_a_varied_return() -> None:
    other = [A[3], [(67, 96)]]
    cuts = [(0, 3, ()), (3, 4, (1,)), (4, 5, (2,)), (5, 9, ())]
    melody = repeated(tune(A[:3], other, B, key=C), cuts, (0, 1, 0, 2, 3))
    for found in (written_form(melody), find_form(melody)):
        assert str(found) == "A4A'4B4"
        assert [section.cadence for section in found.sections] == ["full", "half", "half"]


def test_da_capo_returns() -> None:
    melody = repeated(tune(A, B), [(0, 4, ()), (4, 8, ())], (0, 1, 0))
    assert str(written_form(melody)) == str(find_form(melody)) == "A4B4A4"


def test_a_score_of_which_no_section_is_played_is_read_as_written() -> None:
    melody = repeated(tune(A, A), [(0, 8, ())], ())
    assert str(written_form(melody)) == "A8"
    assert str(find_form(melody)) == "A4A4"


def test_marks_of_phrase_ends_are_read_where_they_are_whole() -> None:
    marked = replace(tune(A, B), phrase_ends=(192, 384, 540, 768))
    assert find_form(marked).phrase_ends == (2, 4, 6, 8)
    assert find_form(replace(tune(A, B, A, B), phrase_ends=(96,))).phrase_ends == (4, 8, 12, 16)


def test_long_new_passages_are_divided_in_sections_of_eight_bars() -> None:
    rng = random.Random(1)
    notes = [(rng.randint(50, 90), rng.choice([6, 12, 18, 24])) for _ in range(2000)]
    assert [section.bars for section in find_form(Melody.from_pitches(notes).until(96 * 20)).sections] == [4, 8, 8]
    long = find_form(Melody.from_pitches(notes * 3).until(96 * 900))
    assert long.bars == 900
    assert len({section.label for section in long.sections}) <= 26


def test_the_longest_melodies_of_one_bar_or_four_have_a_form() -> None:
    for bars in ([[(60, 24)] * 4], A):
        form = find_form(tune(bars * (MOST_BARS // len(bars))))
        assert form.bars == MOST_BARS
        assert form.sections[-1].kind == "literal"


def test_a_melody_that_is_too_long_is_refused() -> None:
    with pytest.raises(UsageError, match="the melody has 1,025 bars"):
        find_form(Melody((Note((60,), 0, 96 * (MOST_BARS + 1)),)))


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["AABA", "AABB", "ABAC", "AA'BA", "ABCA", "ABA'B", "AAB"]),
    st.sampled_from([4, 8]),
    st.sampled_from(["4/4", "3/4", "6/8"]),
)
def test_the_returns_of_a_melody_that_was_made_by_a_form_are_found(
    seed: int, letters: str, size: int, meter: str
) -> None:
    form = Form.parse(letters, len(letters.replace("'", "")) * size)
    assert form_f1(find_form(made_by(form, Meter.parse(meter), random.Random(seed))), form) == 1


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), forms(longest=12, most=8))
def test_found_forms_cover_the_melody_and_return_as_they_say(seed: int, form: Form) -> None:
    melody = made_by(form, Meter(), random.Random(seed))
    found = find_form(melody)
    assert found.bars == form.bars
    bars = [set() for _ in range(form.bars)]
    for note in melody.notes:
        bars[note.onset // 96].add((note.onset % 96, note.top))
    for section in found.sections:
        if section.kind != "new":
            lag = found.lag_of(section.first)
            pairs = [(bars[bar - 1], bars[bar - 1 - lag]) for bar in range(section.first, section.last + 1)]
            share = sum(len(one & other) for one, other in pairs) / sum(max(map(len, pair)) for pair in pairs)
            assert (share > VARIED[1]) == (section.kind == "literal")
            assert share >= VARIED[0]


def made_by(form: Form, meter: Meter, rng: random.Random) -> Melody:
    """A melody of random notes that returns as a form says; a varied return changes one note of four."""
    bars: list[list[tuple[int, int]]] = []
    step = meter.ticks_per_bar // 6
    for bar in range(1, form.bars + 1):
        lag = form.lag_of(bar)
        if not lag:
            lengths = rng.choice([(1, 1, 2, 2), (2, 1, 1, 2), (2, 2, 1, 1), (1, 2, 1, 2)])
            bars.append([(rng.randint(55, 84), length * step) for length in lengths])
        else:
            (pitch, ticks), *others = bars[bar - 1 - lag]
            bars.append([(pitch + (rng.randint(1, 5) if form.kind_of(bar) == "varied" else 0), ticks), *others])
    return tune(bars, meter=meter)
