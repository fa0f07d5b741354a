"""Features: against slower implementations, by hand, and under transposition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import entropy

from cantilena.discriminators.comparison import Examples, canonical_rests
from cantilena.discriminators.features import (
    GROUPS,
    NgramVocabulary,
    find_keys,
    musical_features,
    ngram_ids,
    trivial_features,
)
from cantilena.discriminators.recurrent import step_features
from cantilena.music import Line, find_key
from cantilena.rules import Notes
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)


Walks = Callable[..., Line]


def transposed(line: Line, semitones: int) -> Line:
    return Line.from_events(line.event, np.where(line.pitch >= 0, line.pitch + semitones, -1), length=line.length)


def test_the_keys_of_many_melodies_equal_those_of_each() -> None:
    rng = np.random.default_rng(1)
    tokens = np.where(rng.random((200, 24)) < 0.5, rng.integers(50, 80, (200, 24)), 1)
    found = find_keys(Notes.from_line(GRID.line(tokens)))
    for row, tonic, minor in zip(tokens, found.tonic, found.minor, strict=True):
        key = find_key(GRID.decode(row))
        assert key is not None
        assert (key.tonic, key.is_minor) == (tonic, minor)


@pytest.mark.parametrize("semitones", [-5, 1, 6])
def test_features_are_invariant_under_transposition(semitones: int, walks: Walks) -> None:
    line = walks(np.random.default_rng(2), 60)
    other = transposed(line, semitones)
    for name, values in musical_features(line).items():
        np.testing.assert_allclose(musical_features(other)[name], values, atol=1e-9, err_msg=name)
    np.testing.assert_array_equal(trivial_features(other), trivial_features(line))
    words = NgramVocabulary.fit(Notes.from_line(line), {1: 20, 3: 20})
    np.testing.assert_array_equal(words.counts(Notes.from_line(other)), words.counts(Notes.from_line(line)))
    np.testing.assert_array_equal(step_features(Examples(other)), step_features(Examples(line)))


def test_each_set_of_features_belongs_to_one_group(walks: Walks) -> None:
    named = [name for names in GROUPS.values() for name in names]
    sets = musical_features(walks(np.random.default_rng(2), 2))
    assert sorted(named) == sorted(sets)
    examples = Examples(walks(np.random.default_rng(2), 6))
    every = examples.features
    assert every.shape[1] == sum(values.shape[1] for values in sets.values())
    for some in (examples[[4, 1]], Examples(examples.line)[[4, 1]]):  # with and without known features
        np.testing.assert_array_equal(some.features, every[[4, 1]])


def test_the_end_and_the_form_by_hand() -> None:
    # Two bars of four steps: the second one tone higher, or the tonic of C major, held.
    rows = [[62, 64, 66, 67, 64, 66, 67, 69], [69, 66, 64, 66, 62, 1, 1, 1]]
    found = musical_features(GRID.line(np.array(rows)), steps_per_bar=4)
    np.testing.assert_allclose(found["ends"], [[0, 0, 0, 0, 1, 1], [1, 1, 0, 1, 0, 4 / (8 / 5)]])
    assert found["phrases"][:, 1:].tolist() == [[0, 0], [0, 0]]
    again = musical_features(GRID.line(np.array([rows[0][:4] * 2])), steps_per_bar=4)
    assert again["phrases"][0].tolist() == [0, 1, 1]
    assert found["runs"].tolist() == [[pytest.approx(4 / 6)], [pytest.approx(0)]]


def test_features_by_hand() -> None:
    # C4 quarter, E4 quarter, G4 eighth, G4 eighth, rest, C4: two bars of eight steps.
    line = GRID.line(np.array([[62, 1, 1, 1, 66, 1, 1, 1, 69, 1, 69, 1, 0, 1, 62, 1]]))
    found = {name: values[0] for name, values in musical_features(line, steps_per_bar=8).items()}
    different, span, height, chords = found["range"]
    assert (different, span, chords) == (3, 7, 0)
    assert height == pytest.approx((0 + 4 + 7 + 7 + 0) / 5 / 7)
    assert found["intervals"][[12 + 4, 12 + 3, 12, 12 - 7]].tolist() == [0.25] * 4
    assert found["waits"][[3, 1]].tolist() == [0.75, 0.25]  # 4 4 2 4
    assert found["places"][[0, 2, 4, 6]].tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2])
    repeated, _, steps, leaps = found["motion"][:4]
    assert (repeated, steps, leaps) == (0.25, 0.0, 0.25)
    assert found["motion"][-1] == pytest.approx(entropy([1, 1, 1, 1], base=2))
    assert found["density"].tolist() == pytest.approx([5 / 16, entropy([3, 1], base=2)])
    assert found["meter"][4] == pytest.approx(0.2)  # one note is cut short by a rest
    assert found["drift"][0] == pytest.approx((3 - 2) / 16)


def test_silence_and_single_notes_have_finite_features() -> None:
    rows = np.array([[1] * 16, [0] * 16, [62] + [1] * 15, [62] * 16, [1] * 15 + [62]])
    heard = Examples(GRID.line(rows))
    assert np.isfinite(heard.features).all()
    assert heard.features[0].tolist() == Examples(canonical_rests(GRID.line(rows))).features[1].tolist()
    assert Examples(GRID.line(np.zeros((0, 16), np.int64))).features.shape == (0, heard.features.shape[1])
    assert step_features(heard).shape == (5, 16, 5)


def test_ngram_counts_equal_a_slow_count(walks: Walks) -> None:
    line = walks(np.random.default_rng(3), 30)
    notes = Notes.from_line(line)
    for n in (1, 2, 4):
        slowly: list[Counter[tuple[tuple[int, int], ...]]] = []
        for row in range(line.melodies):
            steps = np.flatnonzero(line.event[row] == 2)
            pitches = line.pitch[row, steps].tolist()
            pairs = list(zip(np.diff(pitches).tolist(), np.diff(steps).tolist(), strict=True))
            slowly.append(Counter(tuple(pairs[at : at + n]) for at in range(len(pairs) - n + 1)))
        number, melody = ngram_ids(notes, n)
        for row in range(line.melodies):
            counts = sorted(Counter(number[melody == row].tolist()).values())
            assert counts == sorted(slowly[row].values())
        every = NgramVocabulary.fit(notes, {n: 100_000})
        assert every.counts(notes).sum(axis=1).tolist() == [sum(words.values()) for words in slowly]
        most = Counter(phrase for words in slowly for phrase in words).most_common(1)[0][1]
        assert np.count_nonzero(NgramVocabulary.fit(notes, {n: 1}).counts(notes)) == most


def test_an_ngram_has_the_same_id_in_every_set() -> None:
    alone = GRID.line(np.array([[62, 64, 66, 1, 67]]))
    among = GRID.line(np.array([[90, 20, 60, 1, 20], [50, 52, 54, 1, 55]]))
    number, _ = ngram_ids(Notes.from_line(alone), 2)
    others, melody = ngram_ids(Notes.from_line(among), 2)
    assert others[melody == 1].tolist() == number.tolist()
