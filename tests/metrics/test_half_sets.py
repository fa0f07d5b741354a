"""The fast intervals of a set's numbers are those of the plain way: the number of each half, counted anew."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from cantilena.metrics import (
    Interval,
    different_melodies,
    different_melodies_interval,
    distinct_interval,
    distinct_n,
    self_bleu,
    self_bleu_interval,
    subsample_interval,
    vendi_interval,
    vendi_score,
)
from cantilena.metrics.intervals import half_sets
from cantilena.metrics.ngrams import distinct_in_deals
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

Fast = Callable[[Line, np.random.Generator], Interval]

WAYS: dict[str, tuple[Callable[[Line], float], Fast]] = {
    "different": (different_melodies, lambda line, rng: different_melodies_interval(line, rng, draws=20)),
    "distinct-2": (lambda line: distinct_n(line, 2), lambda line, rng: distinct_interval(line, 2, rng, draws=20)),
    "self-BLEU": (self_bleu, lambda line, rng: self_bleu_interval(line, rng, draws=20)),
}


def some_melodies(melodies: int = 40) -> Line:
    rng = np.random.default_rng(1)
    tokens = rng.choice([0, 1, 14, 16, 18, 19], (melodies, 24), p=[0.1, 0.3, 0.2, 0.2, 0.1, 0.1])
    tokens[5], tokens[6], tokens[7] = tokens[4], 1, [14] + [1] * 23  # a copy, a silence, a single note
    return GridEncoding().line(tokens)


@pytest.mark.parametrize("name", WAYS)
def test_counted_once_or_for_each_half_the_interval_is_the_same(name: str) -> None:
    plain, fast = WAYS[name]
    line = some_melodies()
    slow = subsample_interval(plain, line, np.random.default_rng(2), draws=20)
    found = fast(line, np.random.default_rng(2))
    assert (found.value, found.low, found.high) == pytest.approx((slow.value, slow.low, slow.high), abs=1e-12)


def test_the_logarithm_of_the_vendi_score_has_the_interval_of_its_halves() -> None:
    line = some_melodies()
    slow = subsample_interval(
        lambda some: math.log(vendi_score(some)), line, np.random.default_rng(2), draws=20, within=(0.0, math.inf)
    )
    found = vendi_interval(line, np.random.default_rng(2), draws=20)
    assert (found.value, found.low, found.high) == pytest.approx(
        [math.exp(n) for n in (slow.value, slow.low, slow.high)]
    )


@pytest.mark.parametrize("melodies", [0, 1])
def test_a_set_without_halves_has_no_bounds(melodies: int) -> None:
    line = some_melodies()[:melodies]
    for _, fast in WAYS.values():
        found = fast(line, np.random.default_rng(1))
        assert math.isnan(found.low)
        assert math.isnan(found.high)
    assert half_sets(melodies, np.random.default_rng(1)).shape == (0, melodies)


def test_a_half_holds_half_of_the_melodies_and_all_come_up_as_often() -> None:
    halves = half_sets(31, np.random.default_rng(1), draws=2000)
    assert (halves.sum(axis=1) == 15).all()
    assert np.abs(halves.mean(axis=0) - 15 / 31).max() < 0.04


def test_what_only_one_melody_says_is_counted_as_what_several_do() -> None:
    rng = np.random.default_rng(3)
    number, melody = rng.integers(0, 60, 150), rng.integers(0, 20, 150)
    number = np.unique(number, return_inverse=True)[1]
    dealt = rng.random((30, 21)) < 0.5  # the last melody says nothing
    dealt[0], dealt[1] = True, False
    for row, shares in zip(dealt, distinct_in_deals(number, melody, dealt), strict=True):
        for mine, share in zip((row[melody], ~row[melody]), shares, strict=True):
            said = number[mine].tolist()
            assert share == pytest.approx(len(set(said)) / len(said) if said else math.nan, nan_ok=True)


def test_melodies_all_the_same_have_a_sure_number() -> None:
    line = some_melodies()[np.full(30, 4)]
    for name, (_, fast) in WAYS.items():
        found = fast(line, np.random.default_rng(1))
        assert found.low <= found.value <= found.high, name
    vendi = vendi_interval(line, np.random.default_rng(1))
    assert (vendi.value, vendi.low, vendi.high) == pytest.approx((1.0, 1.0, 1.0))
