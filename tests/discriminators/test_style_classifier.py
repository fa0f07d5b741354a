"""The style classifier: it learns differences, nothing from random labels, and keeps pieces together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cantilena.discriminators import StyleClassifier, StyleExamples, musical_features
from cantilena.discriminators.style_classifier import FOLDS, METRICAL_FEATURES, UNUSED_FEATURES, folds_by_piece
from cantilena.errors import UsageError
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding


def walks(melodies: int, *, widest: int = 3, seed: int = 1) -> Line:
    """Random walks of sixteenths whose intervals are no wider than so many semitones."""
    moves = np.random.default_rng(seed).integers(-widest, widest + 1, (melodies, 32))
    return GridEncoding().line(2 + (12 + moves.cumsum(axis=1)) % 24)


def learned(line: Line, style: NDArray[np.int64], pieces: NDArray[np.int64] | None = None) -> StyleClassifier:
    own = np.arange(len(style)) if pieces is None else pieces
    return StyleClassifier.fit(StyleExamples(line), style, own, np.random.default_rng(1), (0.01,), quiet=True)


def test_different_styles_are_told_on_held_out_melodies() -> None:
    kinds = [walks(60, widest=wide, seed=wide) for wide in (1, 4, 11)]
    style = np.repeat([0, 1, 2], 60)
    classifier = learned(GridEncoding().line(np.concatenate([tokens_of(line) for line in kinds])), style)
    assert (classifier.out_of_fold.argmax(axis=1) == style).mean() > 0.95
    for number, wide in enumerate((1, 4, 11)):
        predict_proba = classifier.predict_proba(StyleExamples(walks(40, widest=wide, seed=90 + wide)))
        assert predict_proba.sum(axis=1) == pytest.approx(np.ones(40))
        assert (predict_proba.argmax(axis=1) == number).mean() > 0.9


def tokens_of(line: Line) -> NDArray[np.int64]:
    return np.where(line.pitch >= 0, line.pitch - 46, 1).astype(np.int64)


def test_random_labels_give_chance_accuracy() -> None:
    rights = []
    for seed in range(4):
        style = np.random.default_rng(seed).permutation(np.repeat([0, 1, 2], 60))
        classifier = learned(walks(180, seed=seed), style)
        rights.append((classifier.out_of_fold.argmax(axis=1) == style).mean())
    assert abs(np.mean(rights) - 1 / 3) < 0.06  # 720 melodies: 3.4 standard errors


def test_excerpts_of_a_piece_do_not_leak() -> None:
    rng = np.random.default_rng(3)
    pieces = np.repeat(np.arange(60), 4)
    style = rng.integers(0, 2, 60)[pieces]
    classifier = learned(walks(60, seed=5)[pieces], style, pieces)  # each piece four times: a leak would tell all
    assert (classifier.out_of_fold.argmax(axis=1) == style).mean() < 0.65


def test_folds_have_whole_pieces_and_some_of_every_style() -> None:
    rng = np.random.default_rng(2)
    pieces = rng.integers(0, 40, 300)
    style = (pieces % 3).astype(np.int64)
    parts = folds_by_piece(style, pieces, rng)
    assert all(len(set(parts[pieces == piece].tolist())) == 1 for piece in range(40))
    assert all(set(parts[style == one].tolist()) == set(range(FOLDS)) for one in range(3))


def used(sets: dict[str, Any]) -> dict[str, Any]:
    return {name: values for name, values in sets.items() if name not in UNUSED_FEATURES}


def test_features_use_the_bars_of_each_melody_or_none() -> None:
    line = walks(4)
    bars = np.array([16, 12, 48, 16])
    examples = StyleExamples(line, bars)
    for row in (0, 1):
        alone = used(musical_features(line[[row]], int(bars[row])))
        places = np.zeros(24)
        places[: bars[row]] = alone["places"][0]
        expected = np.concatenate([places if name == "places" else some[0] for name, some in alone.items()])
        assert examples.features[row] == pytest.approx(expected)
    assert examples[[1]].features == pytest.approx(examples.features[[1]])
    assert StyleExamples(line, bars)[[1]].features == pytest.approx(examples.features[[1]])
    without = used(musical_features(line, 16))
    width = sum(some.shape[1] for name, some in without.items() if name not in METRICAL_FEATURES)
    assert StyleExamples(line).features.shape == (4, width)
    # The remaining features do not depend on bars.
    others = musical_features(line, 12)
    assert all(np.array_equal(others[name], some) for name, some in without.items() if name not in METRICAL_FEATURES)


def test_silence_single_notes_and_no_melodies() -> None:
    tokens = np.ones((60, 16), dtype=np.int64)
    tokens[30:, 3] = 14  # half of them a single note, half of them nothing
    classifier = learned(GridEncoding().line(tokens), np.repeat([0, 1], 30))
    assert np.isfinite(classifier.out_of_fold).all()
    assert classifier.predict_proba(StyleExamples(walks(0))).shape == (0, 2)
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
def test_too_few_styles_or_pieces_are_refused(style: NDArray[np.int64], pieces: NDArray[np.int64]) -> None:
    with pytest.raises(UsageError, match="too few styles or pieces"):
        learned(walks(len(style)), style, pieces)
