"""Intervals: against theory, and that they hold what they should as often as they say."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.metrics import (
    Interval,
    bootstrap_ratio,
    bootstrap_ratios,
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
from cantilena.metrics.ngrams import distinct_shares
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pitches(values: np.ndarray) -> Line:
    return Line.from_events(np.full((len(values), 1), 2), values[:, None])


def mean_pitch(line: Line) -> float:
    return float(line.pitch.mean())


def test_the_bootstrap_of_a_share_has_the_binomial_spread() -> None:
    hits = np.repeat([1.0, 0.0], [120, 280])
    interval = bootstrap_ratio(hits, np.ones(400), None, rng(), resamples=4000)
    spread = 1.96 * math.sqrt(0.3 * 0.7 / 400)
    assert interval.value == 0.3
    assert interval.low == pytest.approx(0.3 - spread, abs=0.005)
    assert interval.high == pytest.approx(0.3 + spread, abs=0.005)


def test_excerpts_of_one_piece_are_drawn_together() -> None:
    hits = np.repeat(rng(1).integers(0, 2, 40).astype(float), 10)
    labels = np.repeat([f"piece {number}" for number in range(40)], 10)
    together = bootstrap_ratio(hits, np.ones(400), labels, rng())
    alone = bootstrap_ratio(hits, np.ones(400), None, rng())
    assert together.value == alone.value
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(math.sqrt(10), rel=0.2)


def test_all_metrics_share_their_draws_and_each_is_as_if_alone() -> None:
    generator = rng(7)
    out_of = {name: generator.integers(0, 9, 200).astype(float) for name in "xyz"}
    counted = {name: generator.binomial(out_of[name].astype(int), 0.4).astype(float) for name in "xyz"}
    labels = generator.integers(0, 60, 200)
    together = bootstrap_ratios(counted, out_of, labels, rng(8))
    alone = {name: bootstrap_ratio(counted[name], out_of[name], labels, rng(8)) for name in "xyz"}
    assert together == alone
    assert bootstrap_ratios({}, {}, labels, rng(8)) == {}


def test_the_bootstrap_covers_the_truth_of_pieces_of_many_sizes() -> None:
    generator, held = rng(9), 0
    for _ in range(200):
        melodies = generator.integers(1, 9, 80)
        hits = generator.binomial(melodies, np.clip(generator.normal(0.4, 0.15, 80), 0, 1))
        found = bootstrap_ratio(hits.astype(float), melodies.astype(float), None, generator, resamples=400)
        held += int(found.low <= 0.4 <= found.high)
    assert 178 <= held <= 199  # nominally 190 of 200, four standard deviations


def test_melodies_with_nothing_to_say_are_harmless() -> None:
    counted, out_of = np.array([0.0, 0.0, 3.0]), np.array([0.0, 0.0, 4.0])
    interval = bootstrap_ratio(counted, out_of, None, rng())
    assert (interval.value, interval.low, interval.high) == (0.75, 0.75, 0.75)
    nothing = bootstrap_ratio(np.zeros(5), np.zeros(5), None, rng())
    assert math.isnan(nothing.value)
    assert math.isnan(nothing.low)
    assert math.isnan(nothing.high)


@pytest.mark.parametrize("melodies", [0, 1])
def test_fewer_than_two_pieces_have_no_bounds(melodies: int) -> None:
    one = bootstrap_ratio(np.ones(melodies), np.ones(melodies), None, rng())
    assert math.isnan(one.low)
    many_of_one = bootstrap_ratio(np.ones(9), np.ones(9), np.zeros(9), rng())
    assert (many_of_one.value, math.isnan(many_of_one.high)) == (1.0, True)
    part = subsample_interval(different_melodies, pitches(np.full(melodies, 60)), rng())
    assert math.isnan(part.low)


def test_the_same_generator_gives_the_same_bounds_however_they_are_chunked() -> None:
    counts = rng(2).random(3000)
    assert bootstrap_ratio(counts, np.ones(3000), None, rng(5)) == bootstrap_ratio(counts, np.ones(3000), None, rng(5))
    line = pitches(rng(3).integers(40, 90, 100))
    assert subsample_interval(different_melodies, line, rng(4)) == subsample_interval(different_melodies, line, rng(4))


def test_half_sets_give_a_mean_its_standard_error() -> None:
    values = rng(6).integers(40, 90, 1000)
    interval = subsample_interval(mean_pitch, pitches(values), rng(), draws=2000, within=(0, 127))
    error = values.std() / math.sqrt(1000)
    assert interval.value == values.mean()
    assert (interval.high - interval.low) / 2 == pytest.approx(1.96 * error, rel=0.08)


def test_intervals_of_set_numbers_cover_the_truth() -> None:
    # Melodies drawn from a pool in which some are common: what half sets of one set say, against many fresh sets.
    weights = 1 / np.arange(1, 201)
    pool = rng(9).integers(2, 38, (200, 8))

    def fresh(generator: np.random.Generator) -> Line:
        return GridEncoding().line(pool[generator.choice(200, 120, p=weights / weights.sum())])

    generator = rng(10)
    truth = np.mean([different_melodies(fresh(generator)) for _ in range(300)])
    held = 0
    for _ in range(60):
        interval = subsample_interval(different_melodies, fresh(generator), generator, draws=60)
        held += int(interval.low <= truth <= interval.high)
    assert held >= 52  # nominally 57 of 60


def test_shares_stay_shares_and_undefined_numbers_have_no_bounds() -> None:
    all_different = subsample_interval(different_melodies, pitches(np.arange(40, 100)), rng())
    assert (all_different.value, all_different.low, all_different.high) == (1.0, 1.0, 1.0)
    nearly = pitches(np.concatenate([np.arange(30, 120), [60, 61, 62]]))
    interval = subsample_interval(different_melodies, nearly, rng())
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    silent = subsample_interval(lambda part: distinct_n(part, 4), pitches(np.arange(40, 100)), rng())
    assert math.isnan(silent.value)
    assert math.isnan(silent.low)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_levels_are_shares(level: float) -> None:
    with pytest.raises(UsageError, match="level"):
        bootstrap_ratio(np.ones(3), np.ones(3), None, rng(), level=level)
    with pytest.raises(UsageError, match="level"):
        subsample_interval(different_melodies, pitches(np.arange(60, 70)), rng(), level=level)


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
    for row, shares in zip(dealt, distinct_shares(number, melody, dealt), strict=True):
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
