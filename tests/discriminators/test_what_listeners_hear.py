"""What listeners hear of a melody: checked against slower ways to say it, and against other keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import entropy

from cantilena.discriminators.comparison import Examples, as_heard, common_steps, cut, transposed
from cantilena.discriminators.features import Vocabulary, musical_features, own_keys, said, trivial_features
from cantilena.discriminators.recurrent import heard_steps
from cantilena.music import Line, find_key
from cantilena.rules import Notes
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)


Walks = Callable[..., Line]


def moved(line: Line, semitones: int) -> Line:
    return Line.of(line.event, np.where(line.pitch >= 0, line.pitch + semitones, -1), length=line.length)


def test_the_keys_of_many_melodies_are_those_of_each() -> None:
    rng = np.random.default_rng(1)
    tokens = np.where(rng.random((200, 24)) < 0.5, rng.integers(50, 80, (200, 24)), 1)
    found = own_keys(Notes.from_line(GRID.line(tokens)))
    for row, tonic, minor in zip(tokens, found.tonic, found.minor, strict=True):
        key = find_key(GRID.decode(row))
        assert key is not None
        assert (key.tonic, key.is_minor) == (tonic, minor)


@pytest.mark.parametrize("semitones", [-5, 1, 6])
def test_nothing_that_is_heard_changes_with_the_key(semitones: int, walks: Walks) -> None:
    line = walks(np.random.default_rng(2), 60)
    other = moved(line, semitones)
    for name, values in musical_features(line).items():
        np.testing.assert_allclose(musical_features(other)[name], values, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(trivial_features(other), trivial_features(line))
    words = Vocabulary.of(Notes.from_line(line), {1: 20, 3: 20})
    np.testing.assert_array_equal(words.counts(Notes.from_line(other)), words.counts(Notes.from_line(line)))
    np.testing.assert_array_equal(heard_steps(Examples(other)), heard_steps(Examples(line)))


def test_features_worked_out_by_hand() -> None:
    # C4 quarter, E4 quarter, G4 eighth, G4 eighth, rest, C4: two bars of eight steps.
    line = GRID.line(np.array([[62, 1, 1, 1, 66, 1, 1, 1, 69, 1, 69, 1, 0, 1, 62, 1]]))
    found = {name: values[0] for name, values in musical_features(line, steps_per_bar=8).items()}
    density, different, span, height, chords = found["size"]
    assert (density, different, span, chords) == (5 / 16, 3, 7, 0)
    assert height == pytest.approx((0 + 4 + 7 + 7 + 0) / 5 / 7)
    assert found["intervals"][[12 + 4, 12 + 3, 12, 12 - 7]].tolist() == [0.25] * 4
    assert found["waits"][[3, 1]].tolist() == [0.75, 0.25]  # 4 4 2 4
    assert found["places"][[0, 2, 4, 6]].tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2])
    repeated, _, steps, leaps = found["motion"][:4]
    assert (repeated, steps, leaps) == (0.25, 0.0, 0.25)
    assert found["surprise"][0] == pytest.approx(entropy([1, 1, 1, 1], base=2))
    assert found["surprise"][1] == pytest.approx(entropy([3, 1], base=2))
    assert found["meter"][4] == pytest.approx(0.2)  # one note is cut short by a rest
    assert found["drift"][0] == pytest.approx((3 - 2) / 16)


def test_silence_and_single_notes_give_numbers() -> None:
    rows = np.array([[1] * 16, [0] * 16, [62] + [1] * 15, [62] * 16, [1] * 15 + [62]])
    heard = Examples(GRID.line(rows))
    assert np.isfinite(heard.features).all()
    assert heard.features[0].tolist() == Examples(as_heard(GRID.line(rows))).features[1].tolist()
    assert Examples(GRID.line(np.zeros((0, 16), np.int64))).features.shape == (0, heard.features.shape[1])
    assert heard_steps(heard).shape == (5, 16, 5)


def test_phrases_are_counted_like_words_in_a_list(walks: Walks) -> None:
    line = walks(np.random.default_rng(3), 30)
    notes = Notes.from_line(line)
    for n in (1, 2, 4):
        slowly: list[Counter[tuple[tuple[int, int], ...]]] = []
        for row in range(line.melodies):
            steps = np.flatnonzero(line.event[row] == 2)
            pitches = line.pitch[row, steps].tolist()
            pairs = list(zip(np.diff(pitches).tolist(), np.diff(steps).tolist(), strict=True))
            slowly.append(Counter(tuple(pairs[at : at + n]) for at in range(len(pairs) - n + 1)))
        number, melody = said(notes, n)
        for row in range(line.melodies):
            counts = sorted(Counter(number[melody == row].tolist()).values())
            assert counts == sorted(slowly[row].values())
        every = Vocabulary.of(notes, {n: 100_000})
        assert every.counts(notes).sum(axis=1).tolist() == [sum(words.values()) for words in slowly]
        most = Counter(phrase for words in slowly for phrase in words).most_common(1)[0][1]
        assert np.count_nonzero(Vocabulary.of(notes, {n: 1}).counts(notes)) == most


def test_a_phrase_has_the_same_number_in_every_set() -> None:
    alone = GRID.line(np.array([[62, 64, 66, 1, 67]]))
    among = GRID.line(np.array([[90, 20, 60, 1, 20], [50, 52, 54, 1, 55]]))
    number, _ = said(Notes.from_line(alone), 2)
    others, melody = said(Notes.from_line(among), 2)
    assert others[melody == 1].tolist() == number.tolist()


def test_silence_is_written_in_one_way() -> None:
    line = GRID.line(np.array([[0, 1, 62, 0, 0, 1, 0, 64], [1, 1, 62, 0, 1, 1, 1, 64]]))
    heard = as_heard(line)
    assert heard.event[0].tolist() == heard.event[1].tolist() == [1, 1, 2, 0, 1, 1, 1, 2]


def test_keys_are_drawn_within_what_midi_can_say(walks: Walks) -> None:
    rng = np.random.default_rng(4)
    high, low = GRID.line(np.full((500, 2), 2 + 126)), GRID.line(np.full((500, 2), 2))
    assert set(transposed(high, rng).pitch[:, 0].tolist()) == set(range(120, 128))
    assert set(transposed(low, rng).pitch[:, 0].tolist()) == set(range(6))
    middle = transposed(walks(rng, 200), rng)
    assert np.all(middle.pitch_classes == np.where(middle.pitch >= 0, 1 << (middle.pitch.astype(int) % 12), 0))


def test_all_are_cut_to_what_nine_in_ten_have_on_either_side() -> None:
    rows = np.full((20, 12), 62)
    some = GRID.line(rows, np.array([3, 5] + [8] * 18))
    assert common_steps(some, GRID.line(rows)) == 8
    assert common_steps(some, GRID.line(rows[:0])) == 0
    assert cut(GRID.line(rows), 8).length.tolist() == [8] * 20
