"""Copies found by bisection against copies found by looking everywhere, and cases that can be worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cantilena.data import load_builtin
from cantilena.errors import UsageError
from cantilena.metrics import (
    Copies,
    CopyIndex,
    RuleCounts,
    bootstrap_ratio,
    copy_length_quantile,
    note_ngrams,
    originality_counts,
)
from cantilena.metrics.registry import METRICS, ORIGINALITY
from cantilena.metrics.suffix_array import sorted_places
from cantilena.music import HOLD, Line, Melody
from cantilena.rules import Notes
from cantilena.tokenizers import EventsEncoding, GridEncoding

GRID = GridEncoding()
WIDE = GridEncoding(0, 127)
Pair = tuple[int, int]

grids = st.lists(st.lists(st.sampled_from([0, 1, 14, 14, 16]), max_size=14), max_size=7)
labels = st.lists(st.integers(0, 2), min_size=7, max_size=7)


class Found(NamedTuple):
    notes: int
    first_note: int
    melody: int
    corpus_note: int


def line_of(*melodies: list[int] | NDArray[Any], grid: GridEncoding = GRID) -> Line:
    steps = max((len(melody) for melody in melodies), default=0)
    padded = np.full((len(melodies), steps), 14)  # padding that would sound, if it counted
    for row, melody in zip(padded, melodies, strict=True):
        row[: len(melody)] = melody
    return grid.line(padded, np.array([len(melody) for melody in melodies], dtype=np.int64))


def onsets_of(melody: list[int]) -> list[int]:
    return [note.onset // GRID.ticks_per_step for note in GRID.decode(melody).sounding] if melody else []


def pairs_of(melody: list[int]) -> list[Pair]:
    notes = GRID.decode(melody).sounding if melody else ()
    return [(b.top - a.top, (b.onset - a.onset) // GRID.ticks_per_step) for a, b in pairwise(notes)]


def plain_match(pairs: list[Pair], other: list[Pair], begin: int, place: int) -> int:
    same = 0
    while begin + same < len(pairs) and place + same < len(other) and pairs[begin + same] == other[place + same]:
        same += 1
    return same


def plain_copy(melody: list[int], corpus: list[list[int]], allowed: list[bool]) -> Found:
    best = Found(0, -1, -1, -1)
    for begin in range(len(pairs_of(melody))):
        for number, other in enumerate(corpus):
            for place in range(len(pairs_of(other)) if allowed[number] else 0):
                same = plain_match(pairs_of(melody), pairs_of(other), begin, place)
                if same and same + 1 > best.notes:
                    best = Found(same + 1, begin, number, place)
    return best


def found_of(copies: Copies, row: int) -> Found:
    return Found(
        int(copies.notes[row]), int(copies.first_note[row]), int(copies.melody[row]), int(copies.corpus_note[row])
    )


def ngrams(pairs: list[Pair], n: int) -> list[tuple[Pair, ...]]:
    return [tuple(pairs[place : place + n]) for place in range(len(pairs) - n + 1)]


@settings(max_examples=50, deadline=None)
@given(grids, grids, labels, st.one_of(st.none(), labels))
def test_it_finds_what_looking_everywhere_finds(
    corpus: list[list[int]], melodies: list[list[int]], pieces: list[int], left_out: list[int] | None
) -> None:
    index = CopyIndex.from_lines(line_of(*corpus), np.array(pieces[: len(corpus)]))
    leave_out = None if left_out is None else np.array(left_out[: len(melodies)])
    copies = index.copies(line_of(*melodies), leave_out)
    for row, melody in enumerate(melodies):
        allowed = [left_out is None or piece != left_out[row] for piece in pieces]
        expected = plain_copy(melody, corpus, allowed)
        assert found_of(copies, row) == expected
        if expected.notes:
            assert copies.step[row] == onsets_of(melody)[expected.first_note]
            assert copies.corpus_step[row] == onsets_of(corpus[expected.melody])[expected.corpus_note]
        else:
            assert copies.step[row] == copies.corpus_step[row] == -1
        assert copies.out_of[row] == len(onsets_of(melody))


@settings(max_examples=40, deadline=None)
@given(grids, grids, labels, labels, st.integers(1, 9))
def test_new_ngrams_are_those_that_no_other_piece_has(
    corpus: list[list[int]], melodies: list[list[int]], pieces: list[int], left_out: list[int], n: int
) -> None:
    index = CopyIndex.from_lines(line_of(*corpus), np.array(pieces[: len(corpus)]))
    line = line_of(*melodies)
    for leave_out in (None, np.array(left_out[: len(melodies)])):
        new, out_of = index.copies(line, leave_out).novel_ngrams(n)
        for row, melody in enumerate(melodies):
            known = {
                ngram
                for number, other in enumerate(corpus)
                if leave_out is None or pieces[number] != leave_out[row]
                for ngram in ngrams(pairs_of(other), n)
            }
            own = ngrams(pairs_of(melody), n)
            assert (new[row], out_of[row]) == (sum(ngram not in known for ngram in own), len(own))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(1, 2), max_size=9), max_size=6))
def test_places_are_sorted_by_what_follows_them(melodies: list[list[int]]) -> None:
    text = [number for melody in melodies for number in [*melody, 0]]
    rest = [text[place : text.index(0, place)] for place in range(len(text))]
    expected = sorted(range(len(text)), key=lambda place: (rest[place], place))
    assert sorted_places(np.array(text, np.int32)).tolist() == expected


@settings(max_examples=30, deadline=None)
@given(grids, grids, st.integers(0, 7))
def test_a_corpus_of_several_lines_is_one_corpus(corpus: list[list[int]], melodies: list[list[int]], cut: int) -> None:
    whole = CopyIndex.from_lines(line_of(*corpus)).copies(line_of(*melodies))
    parts = CopyIndex.from_lines([line_of(*corpus[:cut]), line_of(*corpus[cut:])]).copies(line_of(*melodies))
    for name in ("notes", "first_note", "step", "melody", "corpus_note", "corpus_step", "out_of", "matches"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


TUNE = [14, 1, 16, 18, 1, 1, 19, 21, 14, 0, 26, 25]


def test_a_copy_in_another_key_or_octave_is_a_copy() -> None:
    index = CopyIndex.from_lines(line_of(TUNE))
    for semitones in (0, 5, 11, -12):
        moved = [token + semitones if token > HOLD else token for token in TUNE]
        assert found_of(index.copies(line_of(moved)), 0) == Found(8, 0, 0, 0)


def test_a_copy_played_staccato_is_a_copy_and_one_in_double_tempo_is_not() -> None:
    index = CopyIndex.from_lines(line_of([14, 1, 16, 1, 19, 1, 21, 1]))
    assert index.copies(line_of([14, 0, 16, 0, 19, 0, 21, 0])).notes.tolist() == [4]
    assert index.copies(line_of([14, 16, 19, 21])).notes.tolist() == [0]


def test_how_long_the_last_note_lasts_does_not_count() -> None:
    index = CopyIndex.from_lines(line_of([14, 16, 18, 1, 1, 1, 23]))
    assert index.copies(line_of([14, 16, 18])).notes.tolist() == [3]
    assert index.copies(line_of([14, 16, 18, 1, 23])).notes.tolist() == [3]


def test_a_copy_in_the_middle_is_told_by_its_places() -> None:
    index = CopyIndex.from_lines(line_of([14, 15], [30, 1, 1, 28, *TUNE]))
    copies = index.copies(line_of([0, 14, 24, 1, 1, 1, *(token + 2 if token > HOLD else token for token in TUNE)]))
    assert found_of(copies, 0) == Found(8, 2, 1, 2)
    assert (copies.step[0], copies.corpus_step[0]) == (6, 4)


def test_runs_do_not_go_from_one_melody_into_the_next() -> None:
    index = CopyIndex.from_lines(line_of([14, 16, 18], [18, 19, 21]))
    assert index.copies(line_of([14, 16, 18, 19, 21])).notes.tolist() == [3]
    assert CopyIndex.from_lines(line_of([14, 16, 18, 19, 21])).copies(
        line_of([14, 16, 18], [18, 19, 21])
    ).notes.tolist() == [
        3,
        3,
    ]


def test_of_equal_runs_the_first_counts_in_the_melody_and_in_the_corpus() -> None:
    index = CopyIndex.from_lines(line_of([14, 30, 31, 30], [14, 16, 18], [21, 23, 25], [14, 16, 18, 18]))
    assert found_of(index.copies(line_of([14, 16, 18, 18, 14, 16, 18])), 0) == Found(4, 0, 3, 0)
    assert found_of(index.copies(line_of([14, 16, 18, 22, 14, 16, 18])), 0) == Found(3, 0, 1, 0)
    assert found_of(index.copies(line_of([14, 16, 18]), np.array([1])), 0) == Found(3, 0, 2, 0)


def test_melodies_too_short_to_copy_have_no_numbers() -> None:
    line = line_of([], [0, 0, 1], [14], [14, 16])
    counts = originality_counts(line, CopyIndex.from_lines(line_of(TUNE)), bound=3)
    assert counts.out_of["copied_notes"].tolist() == [0, 0, 0, 1]
    assert counts.counted["copied_share"].tolist() == [0, 0, 0, 1]
    assert counts.out_of["novel_4"].tolist() == [0, 0, 0, 0]
    nothing = originality_counts(line[:3], CopyIndex.from_lines(line_of(TUNE)), bound=3)
    assert all(math.isnan(value) for value in nothing.statistics().values())
    assert copy_length_quantile(CopyIndex.from_lines(line).copies(line[:3])) is None


def test_a_query_longer_than_anything_and_melodies_that_are_nowhere() -> None:
    index = CopyIndex.from_lines(line_of([14, 16, 18]))
    long = [14, 16, 18] * 400
    copies = index.copies(line_of(long, [14, 25, 14, 25]))
    assert copies.notes.tolist() == [3, 0]
    assert copies.melody.tolist() == [0, -1]
    assert originality_counts(line_of(long), index).statistics()["novel_4"] == 1.0


def test_a_corpus_without_a_melody_or_a_note_has_nothing() -> None:
    line = line_of(TUNE, [14])
    for empty in (
        CopyIndex.from_lines([]),
        CopyIndex.from_lines(line_of()),
        CopyIndex.from_lines(line_of([], [0, 1, 0])),
        CopyIndex.from_lines(line_of([14])),
    ):
        copies = empty.copies(line)
        assert copies.notes.tolist() == [0, 0]
        assert originality_counts(line, empty).statistics()["novel_4"] == 1.0
        assert empty.copies(line, np.array([0, 0])).melody.tolist() == [-1, -1]
    nothing = CopyIndex.from_lines(line).copies(line_of())
    assert len(nothing.notes) == len(nothing.matches) == 0


def test_a_thousand_melodies_that_are_the_same() -> None:
    tune = WIDE.line(np.random.default_rng(1).integers(40, 80, (1, 400)))
    index = CopyIndex.from_lines(tune[np.zeros(1000, np.int64)], pieces=np.array(["same"] * 999 + ["other"]))
    copies = index.copies(tune[np.array([0, 0, 0])], np.array(["same", "other", "neither"]))
    assert copies.notes.tolist() == [400, 400, 400]
    assert copies.melody.tolist() == [999, 0, 0]


def test_one_tone_for_ever_and_many_notes() -> None:
    index = CopyIndex.from_lines(WIDE.line(np.full((10, 2000), 60)))
    assert index.copies(WIDE.line(np.full((1, 3000), 60))).notes.tolist() == [2000]
    notes = WIDE.line(np.random.default_rng(1).integers(60, 64, (2000, 100)))
    many = CopyIndex.from_lines(notes)
    copies = many.copies(notes[:1000], np.arange(1000))
    assert copies.notes.max() < 100
    assert np.array_equal(many.copies(notes[:1000]).notes, np.full(1000, 100))


def test_labels_are_any_words_and_strangers_leave_out_nothing() -> None:
    line = line_of([14, 16, 18, 19], [14, 16, 18, 20])
    index = CopyIndex.from_lines(line, np.array(["a reel", "another"]))
    assert index.copies(line, np.array(["a reel", "unknown"])).notes.tolist() == [3, 4]
    assert index.copies(line, np.array(["a", "zzz"])).notes.tolist() == [4, 4]


def test_pieces_are_left_out_with_all_their_melodies() -> None:
    line = line_of([14, 16, 18, 19], [26, 28, 30, 31], [14, 16, 19, 21])
    index = CopyIndex.from_lines(line, np.array([7, 7, 9]))
    assert index.copies(line, np.array([7, 7, 9])).notes.tolist() == [2, 2, 2]


def test_what_does_not_fit_is_refused() -> None:
    line = line_of([14, 16], [14, 18])
    index = CopyIndex.from_lines(line)
    with pytest.raises(UsageError, match="3 pieces for 2 melodies"):
        CopyIndex.from_lines(line, np.arange(3))
    with pytest.raises(UsageError, match="1 pieces to leave out for 2"):
        index.copies(line, np.array([0]))
    with pytest.raises(UsageError, match="n-grams of 0"):
        index.copies(line).novel_ngrams(0)
    with pytest.raises(UsageError, match="copies of 2 melodies for 1"):
        originality_counts(line[:1], index, index.copies(line))
    for share in (0.0, 1.5):
        with pytest.raises(UsageError, match="the share is"):
            copy_length_quantile(index.copies(line), share)


def test_tokens_without_time_are_read_by_intervals_alone() -> None:
    melodies = [
        Melody.from_pitches([(60, 24), (62, 6), (64, 12), (65, 48)]),
        Melody.from_pitches([(48, 6), (50, 24), (52, 24), (50, 6)]),
    ]
    encoding = EventsEncoding.learned_from(melodies)
    line = encoding.line(np.stack([encoding.encode(melody) for melody in melodies]))
    notes = Notes.from_line(line)
    assert np.all(notes.gap == 1)
    assert CopyIndex.from_lines(line[:1]).copies(line[1:]).notes.tolist() == [3]


def test_what_people_borrow_is_a_quantile() -> None:
    rng = np.random.default_rng(3)
    line = WIDE.line(rng.integers(60, 66, (200, 24)))
    copies = CopyIndex.from_lines(line).copies(line, np.arange(200))
    for share in (0.01, 0.5, 0.9, 0.95, 1.0):
        bound = copy_length_quantile(copies, share)
        assert bound is not None
        assert np.mean(copies.notes <= bound) >= share > np.mean(copies.notes < bound)
    bound = copy_length_quantile(copies)
    beyond = originality_counts(line, CopyIndex.from_lines(line), copies, bound).statistics()["copied_beyond_people"]
    assert beyond == np.mean(copies.notes > bound) <= 0.05


def test_counts_are_ready_for_intervals_and_described() -> None:
    line = WIDE.line(np.random.default_rng(3).integers(60, 66, (50, 24)))
    index = CopyIndex.from_lines(line[:25])
    counts = originality_counts(line, index, bound=5)
    assert isinstance(counts, RuleCounts)
    assert [name for name, words in METRICS.items() if words.group == ORIGINALITY] == [
        "copied_notes",
        "copied_share",
        "copied_beyond_people",
        "novel_4",
        "novel_8",
    ]
    assert set(counts.names) == {name for name, words in METRICS.items() if words.group == ORIGINALITY}
    assert "copied_beyond_people" not in originality_counts(line, index).names
    for name in counts.names:
        found = bootstrap_ratio(counts.counted[name], counts.out_of[name], None, np.random.default_rng(1))
        assert found.low <= found.value <= found.high
    shares = originality_counts(line, index, leave_out=np.arange(50)).statistics()
    assert shares["copied_share"] < counts.statistics()["copied_share"]
    assert shares["novel_4"] > counts.statistics()["novel_4"]


def test_ngrams_of_struck_notes_agree_with_those_of_diversity() -> None:
    line = WIDE.line(np.random.default_rng(5).integers(2, 8, (40, 30)))  # no rest: durations are times to the next
    both = note_ngrams(line, 3)  # numbered anew in each call: so all at once
    known = set(both.number[both.melody < 20].tolist())
    new, out_of = CopyIndex.from_lines(line[:20]).copies(line).novel_ngrams(3)
    expected = np.bincount(both.melody[[number not in known for number in both.number]], minlength=40)
    assert np.array_equal(new, expected)
    assert np.array_equal(out_of, np.bincount(both.melody, minlength=40))


@pytest.mark.e2e
def test_held_out_pieces_of_the_corpus_borrow_little_from_what_is_learned() -> None:
    corpus = load_builtin("tunes")
    learned = [WIDE.encode(melody) for melody in corpus.melodies("train")]
    index = CopyIndex.from_lines([line_of(*part, grid=WIDE) for part in (learned[::2], learned[1::2])])
    steps = 128
    excerpts = [
        tokens[start : start + steps]
        for tokens in (WIDE.encode(melody) for melody in corpus.melodies("test"))
        for start in range(0, len(tokens) - steps + 1, steps)
    ]
    people = index.copies(line_of(*excerpts, grid=WIDE))
    assert 6 <= np.median(people.notes) <= 10
    bound = copy_length_quantile(people)
    assert bound is not None
    assert 10 <= bound <= 18
    copied = index.copies(line_of(*(tokens[:steps] for tokens in learned[:50]), grid=WIDE))
    assert np.all(copied.notes == copied.out_of)
