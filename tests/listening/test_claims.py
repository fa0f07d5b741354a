"""Claims on answers of a known truth: intervals hold it, nothing false is claimed, what is planted is found."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cantilena.listening import (
    Trials,
    Truth,
    claims,
    design_effect,
    detect,
    draw,
    fit_mixed_model,
    independent_errors,
    simulated_trials,
    wilson,
)

ARMS = ("human", "lstm", "tuned", "baseline")


def studies(truth: Truth, count: int, *, listeners: int = 40, clips: int = 30, seed: int = 1):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        trials = simulated_trials(truth, ARMS[: len(truth.shares)], listeners=listeners, clips=clips, heard=5, rng=rng)
        model, drawn = fit_mixed_model(trials), draw(trials, rng, 300)
        yield trials, model, drawn, claims(trials, model, drawn)


def false_claims(truth: Truth, kinds: set[str], count: int) -> float:
    return np.mean([any(one.stands for one in made if one.kind in kinds) for *_, made in studies(truth, count)])


def coverage(count: int) -> dict[str, float]:
    """How often each interval holds the truth."""
    truth = Truth((0.7, 0.35, 0.5), sd_listener=0.5, sd_clip=0.4, sd_sensitivity=0.2)
    z = truth.beta / truth.spread
    held = {"share": 0, "d_prime": 0, "criterion": 0, "right": 0}
    for trials, _, drawn, made in studies(truth, count, seed=2):
        one = trials.arm == 1
        effect = design_effect(trials.said_human[one], trials.listener[one], trials.clip[one])
        share = wilson(trials.human_counts[1] / effect, trials.counts[1] / effect, freedom=drawn.freedom)
        d_prime = drawn.intervals(lambda counts: detect(counts).d_prime)[1]
        criterion = drawn.intervals(lambda counts: detect(counts).criterion)[1]
        right = next(claim.size for claim in made if claim.kind == "told" and claim.one == "lstm")
        held["share"] += share.low <= 0.35 <= share.high
        held["d_prime"] += d_prime.low <= z[0] - z[1] <= d_prime.high
        held["criterion"] += criterion.low <= -(z[0] + z[1]) / 2 <= criterion.high
        held["right"] += right.low <= (1 + 0.35) / 2 <= right.high
    return {name: times / count for name, times in held.items()}


# A hundred studies of which each errs 1 time in 20 err more than 10 times in one run of 85.
QUICK, SLOW = 100, 1000
NOTHING = Truth((0.5, 0.5, 0.5, 0.5))
AT_THE_MARGIN = Truth((0.6, 0.4))


def test_where_there_is_no_difference_none_is_claimed() -> None:
    assert false_claims(NOTHING, {"told", "differ"}, QUICK) <= 0.10


def test_where_arms_differ_as_much_as_the_margin_they_are_not_called_equal() -> None:
    assert false_claims(AT_THE_MARGIN, {"equal"}, QUICK) <= 0.10


def test_intervals_hold_the_truth() -> None:
    assert min(coverage(QUICK).values()) >= 0.89


def test_a_planted_effect_is_found_and_the_order_of_arms_told() -> None:
    truth = Truth((0.75, 0.2, 0.45))
    for trials, _, _, made in studies(truth, 3, listeners=60):
        standing = {(one.kind, one.one, one.other) for one in made if one.stands}
        assert ("told", "lstm", "human") in standing
        assert ("differ", "lstm", "tuned") in standing
        assert not any(kind == "equal" for kind, *_ in standing)
        assert trials.shares[1] < trials.shares[2]


def test_arms_that_cannot_be_told_are_called_equal_by_enough_listeners() -> None:
    found = [one for *_, made in studies(Truth((0.6, 0.6), sd_clip=0.2), 5, listeners=300, clips=60) for one in made]
    assert sum(one.stands for one in found if one.kind == "equal") >= 4


def test_a_claim_stands_only_where_both_ways_agree() -> None:
    for *_, made in studies(Truth((0.65, 0.5, 0.55)), 5):
        for one in made:
            assert one.p == max(one.p_model, one.p_resampled)
            assert one.adjusted >= one.p
            assert one.size.low <= one.size.value <= one.size.high


def alike(said: bool) -> Trials:
    """Everybody says the same thing of everything."""
    trials = simulated_trials(
        Truth((0.5, 0.5)), ARMS[:2], listeners=40, clips=30, heard=5, rng=np.random.default_rng(1)
    )
    return replace(trials, said_human=np.full(len(trials), said))


@pytest.mark.parametrize("said", [True, False])
def test_listeners_who_say_the_same_of_everything_show_nothing(said: bool) -> None:
    trials = alike(said)
    made = claims(trials, fit_mixed_model(trials), draw(trials, np.random.default_rng(1), 100))
    assert not any(one.stands for one in made)
    assert all(one.size.high > one.size.low for one in made)


def test_perfect_answers_are_told_and_still_have_an_interval() -> None:
    trials = alike(said=True)
    perfect = replace(trials, said_human=trials.arm == 0)
    drawn = draw(perfect, np.random.default_rng(1), 100)
    made = claims(perfect, fit_mixed_model(perfect), drawn)
    assert [(one.kind, one.stands) for one in made] == [("told", True), ("equal", False)]
    least = independent_errors(drawn.counts).d_prime
    interval = drawn.intervals(lambda counts: detect(counts).d_prime, least=least)[1]
    assert interval.low < interval.value < interval.high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("truth", "kinds"), [(NOTHING, {"told", "differ"}), (AT_THE_MARGIN, {"equal"})], ids=["nothing", "margin"]
)
def test_in_a_thousand_studies_no_more_than_one_in_twenty_claims_what_is_false(truth: Truth, kinds: set[str]) -> None:
    assert false_claims(truth, kinds, SLOW) <= 0.05


@pytest.mark.slow
def test_in_a_thousand_studies_intervals_hold_the_truth_as_often_as_they_say() -> None:
    assert min(coverage(SLOW).values()) >= 0.94
