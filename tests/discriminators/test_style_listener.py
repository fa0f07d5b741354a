"""The listener to styles: it learns what is there, nothing where nothing is, and keeps pieces together."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cantilena.discriminators import StyleExamples, StyleClassifier, StyleLogisticRegression, musical_features
from cantilena.discriminators.style_classifier import FOLDS, OF_BARS, parts_by_piece
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

PLAIN = (StyleLogisticRegression(0.01),)


def walks(melodies: int, *, widest: int = 3, seed: int = 1) -> Line:
    """Random walks of sixteenths whose intervals are no wider than so many semitones."""
    moves = np.random.default_rng(seed).integers(-widest, widest + 1, (melodies, 32))
    return GridEncoding().line(2 + (12 + moves.cumsum(axis=1)) % 24)


def learned(line: Line, style: NDArray[np.int64], pieces: NDArray[np.int64] | None = None) -> StyleClassifier:
    own = np.arange(len(style)) if pieces is None else pieces
    return StyleClassifier.learn(StyleExamples(line), style, own, np.random.default_rng(1), PLAIN, quiet=True)


def test_what_differs_is_told_of_melodies_that_were_not_heard() -> None:
    kinds = [walks(60, widest=wide, seed=wide) for wide in (1, 4, 11)]
    style = np.repeat([0, 1, 2], 60)
    listener = learned(GridEncoding().line(np.concatenate([tokens_of(line) for line in kinds])), style)
    assert (listener.out_of_fold.argmax(axis=1) == style).mean() > 0.95
    for number, wide in enumerate((1, 4, 11)):
        predict_proba = listener.scorer.predict_proba(StyleExamples(walks(40, widest=wide, seed=90 + wide)))
        assert predict_proba.sum(axis=1) == pytest.approx(np.ones(40))
        assert (predict_proba.argmax(axis=1) == number).mean() > 0.9


def tokens_of(line: Line) -> NDArray[np.int64]:
    return np.where(line.pitch >= 0, line.pitch - 46, 1).astype(np.int64)


def test_labels_at_random_are_told_at_chance() -> None:
    rights = []
    for seed in range(4):
        style = np.random.default_rng(seed).permutation(np.repeat([0, 1, 2], 60))
        listener = learned(walks(180, seed=seed), style)
        rights.append((listener.out_of_fold.argmax(axis=1) == style).mean())
    assert abs(np.mean(rights) - 1 / 3) < 0.06  # 720 melodies: 3.4 standard errors


def test_copies_of_a_piece_in_random_styles_cannot_be_learned_by_heart() -> None:
    rng = np.random.default_rng(3)
    pieces = np.repeat(np.arange(60), 4)
    style = rng.integers(0, 2, 60)[pieces]
    listener = learned(walks(60, seed=5)[pieces], style, pieces)  # each piece four times: a leak would tell all
    assert (listener.out_of_fold.argmax(axis=1) == style).mean() < 0.65


def test_parts_hold_whole_pieces_and_some_of_every_style() -> None:
    rng = np.random.default_rng(2)
    pieces = rng.integers(0, 40, 300)
    style = (pieces % 3).astype(np.int64)
    parts = parts_by_piece(style, pieces, rng)
    assert all(len(set(parts[pieces == piece].tolist())) == 1 for piece in range(40))
    assert all(set(parts[style == one].tolist()) == set(range(FOLDS)) for one in range(3))


def test_bars_are_heard_by_each_melodys_own_and_not_at_all_without() -> None:
    line = walks(4)
    bars = np.array([16, 12, 48, 16])
    heard = StyleExamples(line, bars)
    for row in (0, 1):
        alone = musical_features(line[[row]], int(bars[row]))
        places = np.zeros(24)
        places[: bars[row]] = alone["places"][0]
        expected = np.concatenate([places if name == "places" else some[0] for name, some in alone.items()])
        assert heard.features[row] == pytest.approx(expected)
    assert heard[[1]].features == pytest.approx(heard.features[[1]])
    assert StyleExamples(line, bars)[[1]].features == pytest.approx(heard.features[[1]])
    without = musical_features(line, 16)
    width = sum(some.shape[1] for name, some in without.items() if name not in OF_BARS)
    assert StyleExamples(line).features.shape == (4, width)
    # No number that is left asks where bars begin.
    others = musical_features(line, 12)
    assert all(np.array_equal(others[name], some) for name, some in without.items() if name not in OF_BARS)


def test_silence_and_one_note_and_nothing_can_be_heard() -> None:
    tokens = np.ones((60, 16), dtype=np.int64)
    tokens[30:, 3] = 14  # half of them a single note, half of them nothing
    listener = learned(GridEncoding().line(tokens), np.repeat([0, 1], 30))
    assert np.isfinite(listener.out_of_fold).all()
    assert listener.scorer.predict_proba(StyleExamples(walks(0))).shape == (0, 2)
    assert StyleExamples(walks(0), np.zeros(0, dtype=np.int64)).features.shape[0] == 0
    same = learned(GridEncoding().line(np.full((60, 16), 14)), np.repeat([0, 1], 30))  # all alike
    assert same.out_of_fold == pytest.approx(np.full((60, 2), 0.5))


@pytest.mark.parametrize(
    ("style", "pieces"),
    [
        (np.zeros(30, dtype=np.int64), np.arange(30)),
        (np.repeat([0, 2], 15), np.arange(30)),  # none of style 1
        (np.repeat([0, 1], 15), np.repeat([0, 1], 15)),  # a piece each
        (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)),
    ],
)
def test_styles_that_cannot_be_split_are_refused(style: NDArray[np.int64], pieces: NDArray[np.int64]) -> None:
    with pytest.raises(UsageError, match="cannot learn these styles"):
        learned(walks(len(style)), style, pieces)
