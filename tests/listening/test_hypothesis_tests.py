"""Hypothesis tests on simulated listeners: coverage of intervals, error rates, and detection of true effects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from cantilena.listening import (
    Bootstrap,
    HypothesisTest,
    ListenerModel,
    Trials,
    bootstrap,
    design_effect,
    fit_mixed_model,
    hypothesis_tests,
    independent_errors,
    signal_detection,
    simulate_trials,
    wilson,
)

ARMS = ("human", "lstm", "tuned", "baseline")
QUICK, MANY = 20, 1000
"""Simulated studies; the probability of more than 10 % errors in 20 studies is 8 % at an error rate of 5 %."""

NO_DIFFERENCE = ListenerModel((0.5, 0.5, 0.5, 0.5))
AT_THE_MARGIN = ListenerModel((0.6, 0.4))

Study = tuple[Trials, Bootstrap, list[HypothesisTest]]


def studies(
    model: ListenerModel, count: int, *, listeners: int = 40, clips: int = 30, seed: int = 1
) -> Iterator[Study]:
    rng, arms = np.random.default_rng(seed), ARMS[: len(model.shares)]
    for _ in range(count):
        trials = simulate_trials(model, arms, listeners=listeners, clips=clips, clips_per_listener=5, rng=rng)
        resampled = bootstrap(trials, rng, 300)
        yield trials, resampled, hypothesis_tests(trials, fit_mixed_model(trials), resampled)


def error_rate(model: ListenerModel, kinds: set[str], count: int) -> float:
    return float(
        np.mean([any(test.significant for test in tests if test.kind in kinds) for *_, tests in studies(model, count)])
    )


def coverage(count: int) -> dict[str, float]:
    """How often each interval contains the true value."""
    model = ListenerModel((0.7, 0.35, 0.5), sd_listener=0.5, sd_clip=0.4, sd_sensitivity=0.2)
    z = model.beta / model.total_sd
    held = {"share": 0, "d_prime": 0, "criterion": 0, "correct": 0}
    for trials, resampled, tests in studies(model, count, seed=2):
        one = trials.arm == 1
        effect = design_effect(trials.said_human[one], trials.listener[one], trials.clip[one])
        share = wilson(trials.human_counts[1] / effect, trials.counts[1] / effect, df=resampled.df)
        d_prime = resampled.intervals(lambda counts: signal_detection(counts).d_prime)[1]
        criterion = resampled.intervals(lambda counts: signal_detection(counts).criterion)[1]
        correct = next(test.effect for test in tests if test.kind == "told" and test.arm == "lstm")
        held["share"] += share.low <= 0.35 <= share.high
        held["d_prime"] += d_prime.low <= z[0] - z[1] <= d_prime.high
        held["criterion"] += criterion.low <= -(z[0] + z[1]) / 2 <= criterion.high
        held["correct"] += correct.low <= (1 + 0.35) / 2 <= correct.high
    return {name: times / count for name, times in held.items()}


def test_no_difference_is_found_where_there_is_none() -> None:
    assert error_rate(NO_DIFFERENCE, {"told", "differ"}, QUICK) <= 0.10


def test_arms_at_the_margin_are_not_equivalent() -> None:
    assert error_rate(AT_THE_MARGIN, {"equal"}, QUICK) <= 0.10


def test_intervals_contain_the_true_value() -> None:
    assert min(coverage(QUICK).values()) >= 0.89


def test_true_effects_are_found() -> None:
    for trials, _, tests in studies(ListenerModel((0.75, 0.2, 0.45)), 3, listeners=60):
        significant = {(test.kind, test.arm, test.other) for test in tests if test.significant}
        assert ("told", "lstm", "human") in significant
        assert ("differ", "lstm", "tuned") in significant
        assert not any(kind == "equal" for kind, *_ in significant)
        assert trials.shares[1] < trials.shares[2]


def test_equivalent_arms_are_found_with_enough_listeners() -> None:
    model = ListenerModel((0.6, 0.6), sd_clip=0.2)
    tests = [test for *_, tests in studies(model, 5, listeners=300, clips=60) for test in tests]
    assert sum(test.significant for test in tests if test.kind == "equal") >= 4


def test_the_larger_p_value_counts() -> None:
    for *_, tests in studies(ListenerModel((0.65, 0.5, 0.55)), 5):
        for test in tests:
            assert test.p == max(test.p_model, test.p_bootstrap)
            assert test.p_holm >= test.p
            assert test.effect.low <= test.effect.value <= test.effect.high


@pytest.fixture(scope="module")
def trials() -> Trials:
    rng = np.random.default_rng(1)
    model = ListenerModel((0.5, 0.5))
    return simulate_trials(model, ARMS[:2], listeners=40, clips=30, clips_per_listener=5, rng=rng)


@pytest.mark.parametrize("said_human", [True, False])
def test_identical_answers_show_nothing(trials: Trials, said_human: bool) -> None:
    same = replace(trials, said_human=np.full(len(trials), said_human))
    tests = hypothesis_tests(same, fit_mixed_model(same), bootstrap(same, np.random.default_rng(1), 100))
    assert not any(test.significant for test in tests)
    assert all(test.effect.high > test.effect.low for test in tests)


def test_perfect_answers_are_significant_and_have_an_interval(trials: Trials) -> None:
    perfect = replace(trials, said_human=trials.arm == 0)
    resampled = bootstrap(perfect, np.random.default_rng(1), 100)
    tests = hypothesis_tests(perfect, fit_mixed_model(perfect), resampled)
    assert [(test.kind, test.significant) for test in tests] == [("told", True), ("equal", False)]
    minimum = independent_errors(resampled.counts).d_prime
    interval = resampled.intervals(lambda counts: signal_detection(counts).d_prime, minimum_error=minimum)[1]
    assert interval.low < interval.value < interval.high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "kinds"), [(NO_DIFFERENCE, {"told", "differ"}), (AT_THE_MARGIN, {"equal"})], ids=["none", "margin"]
)
def test_at_most_one_in_twenty_of_a_thousand_studies_errs(model: ListenerModel, kinds: set[str]) -> None:
    assert error_rate(model, kinds, MANY) <= 0.05


@pytest.mark.slow
def test_intervals_contain_the_true_value_in_a_thousand_studies() -> None:
    assert min(coverage(MANY).values()) >= 0.94
