"""How well styles are told, against scikit-learn's numbers and worked by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

from cantilena.metrics import Interval, StylePredictions
from cantilena.reporting import figures


def answers(melodies: int = 120, styles: int = 3, *, lean: float = 0.0, seed: int = 1) -> StylePredictions:
    """Random answers, two melodies a piece, that lean towards the truth."""
    rng = np.random.default_rng(seed)
    style = np.repeat(rng.integers(0, styles, melodies // 2), 2)
    chances = rng.random((melodies, styles)).round(1) + 0.01 + lean * np.eye(styles)[style]  # rounded: with ties
    return StylePredictions(style, chances / chances.sum(axis=1, keepdims=True), np.repeat(np.arange(melodies // 2), 2))


@pytest.mark.parametrize("lean", [0.0, 0.4, 5.0])
def test_numbers_are_those_of_scikit_learn(lean: float) -> None:
    told = answers(lean=lean)
    rng = np.random.default_rng(1)
    assert told.balanced_accuracy(rng).value == pytest.approx(balanced_accuracy_score(told.style, told.predicted))
    assert told.confusion == pytest.approx(confusion_matrix(told.style, told.predicted, normalize="true"))
    area = roc_auc_score(told.style, told.probabilities, multi_class="ovr", average="macro")
    assert told.auc(rng).value == pytest.approx(area)
    assert [one.value for one in told.recalls(rng)] == pytest.approx(np.diag(told.confusion))


def test_a_piece_counts_as_often_as_it_is_drawn() -> None:
    told = answers(lean=0.3)
    weights = np.random.default_rng(2).multinomial(60, np.full(60, 1 / 60), 3)
    for row, found in zip(weights, told._areas(weights.astype(np.float64)), strict=True):
        weight = row[told.pieces]
        expected = [roc_auc_score(told.style == k, told.probabilities[:, k], sample_weight=weight) for k in range(3)]
        assert found == pytest.approx(expected)


def test_random_answers_are_at_chance_and_p_is_even() -> None:
    p = np.array([answers(seed=seed).p_value(np.random.default_rng(seed), permutations=99) for seed in range(40)])
    assert 0.4 < p.mean() < 0.6
    assert (p <= 0.05).mean() < 0.12
    intervals = [answers(200, seed=seed).balanced_accuracy(np.random.default_rng(seed)) for seed in range(40)]
    covered = np.mean([one.low <= 1 / 3 <= one.high for one in intervals])
    assert covered > 0.85


def test_right_answers_are_far_from_chance() -> None:
    told = answers(lean=5.0)
    rng = np.random.default_rng(1)
    assert told.balanced_accuracy(rng) == Interval(1.0, 1.0, 1.0)
    assert told.auc(rng) == Interval(1.0, 1.0, 1.0)
    assert told.p_value(rng, permutations=99) == 0.01


def test_styles_that_are_not_there_are_undefined_and_say_why() -> None:
    chances = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1]])
    told = StylePredictions(np.array([0, 0, 1, 1]), chances, np.array([0, 1, 2, 2]))
    rng = np.random.default_rng(1)
    assert [told.reason(style) for style in range(3)] == ["", "all are of one piece", "there is no melody of it"]
    recalls = told.recalls(rng)
    assert recalls[0] == Interval(1.0, 1.0, 1.0)
    assert recalls[1].value == 0.5
    assert np.isnan([recalls[1].low, recalls[1].high, recalls[2].value]).all()
    assert told.balanced_accuracy_of_all == 0.75  # of the two that are there
    assert np.isnan(told.confusion[2]).all()


@pytest.mark.parametrize("melodies", [0, 1])
def test_few_melodies_are_no_trouble(melodies: int) -> None:
    told = StylePredictions(np.zeros(melodies, dtype=np.int64), np.full((melodies, 2), 0.5), np.arange(melodies))
    rng = np.random.default_rng(1)
    assert told.p_value(rng) == 1.0
    assert np.isnan(told.auc(rng).value)
    assert np.isnan(told.balanced_accuracy(rng).low)
    assert np.isnan(told.balanced_accuracy(rng).value) == (melodies == 0)


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="2 styles, 1 predictions"):
        StylePredictions(np.zeros(2, dtype=np.int64), np.zeros((1, 2)), np.zeros(2, dtype=np.int64))


@pytest.mark.parametrize("styles", [3, pytest.param(30, marks=pytest.mark.e2e)])
def test_the_picture_takes_any_number_of_styles_and_any_name(styles: int) -> None:
    shares: NDArray[np.float64] = np.full((styles, styles), 1 / styles)
    shares[0] = np.nan
    names = ["<b>$x$ &", *(f"style {number}" for number in range(1, styles))]
    nothing = Interval(float("nan"), float("nan"), float("nan"))
    right = {"people's": nothing, "told a style": Interval(0.5, 0.4, 0.6), "told none": Interval(0.1, 0.1, 0.1)}
    figure = figures.style_confusion(names, {"People": shares, "A model": shares}, right, 1 / styles)
    words = "".join(ElementTree.fromstring(figures.svg_text(figure, "heard")).itertext())
    assert "no melodies" in words
    assert "<b>$x$ &" in words
    assert "50 %" in words
    assert figures.png_bytes(figure) == figures.png_bytes(figure)
