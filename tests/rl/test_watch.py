"""Diversity checks: they detect collapse, stop the run, and keep the best weights that passed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cantilena.discriminators import HumanMelodies, StoppingClassifier
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.music import Line
from cantilena.rl import DiversityCheck, DiversityMonitor, PolicyOptions, TuningOptions, WatchOptions, tune
from cantilena.rl.watch import hold_shares, rest_shares, sounding
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()
RNG = np.random.default_rng(5)


def tunes(melodies: int, seed: int, steps: int = 32) -> NDArray[np.int64]:
    """Notes of the scale at random, each held or not, with a rest now and then."""
    rng = np.random.default_rng(seed)
    scale = np.array([14, 16, 18, 19, 21, 23, 25, 26])
    tokens = scale[rng.integers(0, len(scale), (melodies, steps))]
    tokens = np.where(rng.random(tokens.shape) < 0.4, 1, tokens)
    return np.where(rng.random(tokens.shape) < 0.05, 0, tokens)


def checked(tokens: NDArray[np.int64], human: NDArray[np.int64] | None, entropy: float = 1.0) -> DiversityCheck:
    monitor = DiversityMonitor(None if human is None else GRID.line(human), GRID.line(tunes(200, 9)), entropy=1.0)
    return monitor.check(GRID.line(tokens), RNG, update=1, reward=0.0, kl=0.1, entropy=entropy)


def test_melodies_like_human_ones_pass() -> None:
    check = checked(tunes(200, 1), tunes(300, 2))
    assert check.passed, check.alarms
    assert check.distinct_4 == pytest.approx(check.reference["distinct_4"], abs=0.03)
    assert check.vendi == pytest.approx(check.reference["vendi"], rel=0.1)


def test_a_single_melody_fails() -> None:
    check = checked(np.tile(tunes(1, 3), (200, 1)), tunes(300, 2))
    words = " ".join(check.alarms)
    assert "distinct-4" in words
    assert "Vendi" in words
    assert "self-BLEU" in words
    assert check.different == 1 / 200


def test_a_few_melodies_fail_without_human_ones_too() -> None:
    check = checked(np.tile(tunes(5, 3), (40, 1)), None)
    assert "the untuned value" in " ".join(check.alarms)


@pytest.mark.parametrize(("token", "word"), [(1, "holds"), (0, "rests")])
def test_melodies_with_too_many_holds_or_rests_fail(token: int, word: str) -> None:
    still = tunes(200, 1)
    still[np.random.default_rng(2).random(still.shape) < 0.6] = token
    assert any(alarm.startswith(word) for alarm in checked(still, tunes(300, 2)).alarms)


def test_a_policy_with_low_entropy_fails() -> None:
    assert any("entropy" in alarm for alarm in checked(tunes(200, 1), tunes(300, 2), entropy=0.2).alarms)


def test_silent_melodies_have_a_check_that_round_trips_through_json() -> None:
    check = checked(np.zeros((50, 32), dtype=np.int64), tunes(300, 2))
    assert not check.passed
    assert check.rests == 1.0
    again = DiversityCheck.from_json(check.to_json())
    assert math.isnan(again.distinct_4) == math.isnan(check.distinct_4)
    assert again.alarms == check.alarms


def test_steps_are_onsets_holds_or_rests() -> None:
    line = GRID.line(np.array([[1, 14, 1, 0, 1, 16, 0, 0]]))
    assert sounding(line)[0].tolist() == [False, True, True, False, False, True, False, False]
    assert hold_shares(line).tolist() == [1 / 8]
    assert rest_shares(line).tolist() == [5 / 8]
    padded = Line.from_events(line.event, line.pitch, length=np.array([3]))
    assert rest_shares(padded).tolist() == [1 / 3]


def _bundle() -> Bundle:
    network = Network(NetworkOptions(width=24, embedding=16), 38, seed=3)
    return Bundle(network.options, network.numpy_weights(), GRID.description())


_GREEDY = TuningOptions(
    algorithm="rejection",
    updates=80,
    melodies=64,
    steps=16,
    learning_rate=0.03,
    policy=PolicyOptions(keep=0.02),
    watch=WatchOptions(look=10, watched=64),
    device="cpu",
)
"""It learns from its best melody only, so that it collapses."""


def test_collapse_stops_the_run_and_the_best_weights_are_kept() -> None:
    tuned = tune(_bundle(), _GREEDY, human=tunes(300, 2, steps=16))
    assert tuned.stopped
    assert tuned.steps < 80 * 64 * 16
    assert [check.passed for check in tuned.checks[-2:]] == [False, False]
    passed = [check for check in tuned.checks if check.passed]
    if passed:
        assert tuned.kept == max(passed, key=lambda check: check.reward).update


def test_without_stop_failed_checks_are_only_reported(capsys: pytest.CaptureFixture[str]) -> None:
    freely = replace(_GREEDY, updates=30, watch=replace(_GREEDY.watch, stop=False))
    tuned = tune(_bundle(), freely, human=tunes(300, 2, steps=16))
    assert not tuned.stopped
    assert tuned.steps == 30 * 64 * 16
    assert any(check.alarms for check in tuned.checks)
    assert "Update" in capsys.readouterr().err


def test_the_kept_update_is_recorded() -> None:
    tuned = tune(_bundle(), replace(_GREEDY, algorithm="rloo", learning_rate=0.003, updates=20), human=None)
    assert tuned.kept > 0
    assert tuned.bundle.provenance["tuning"]["kept_update"] == tuned.kept


def _classified(tokens: NDArray[np.int64], earlier: tuple[DiversityCheck, ...], reward: float) -> DiversityCheck:
    human = HumanMelodies(GRID.line(tunes(240, 2)), np.arange(240), np.zeros(240, dtype=np.int64))
    untuned = GRID.line(tunes(240, 9))
    classifier = StoppingClassifier(human)
    before = classifier.evaluate(untuned, np.random.default_rng(1))
    monitor = DiversityMonitor(human.line, untuned, 1.0, classifier, before)
    rng = np.random.default_rng(2)
    return monitor.check(
        GRID.line(tokens), rng, update=1, reward=reward, kl=0.1, entropy=1.0, critic=0.0, earlier=earlier
    )


def test_a_better_stopping_classifier_fails_the_check() -> None:
    rising = np.sort(tunes(240, 1), axis=1)
    first = _classified(tunes(240, 1), (), reward=1.0)
    assert first.classifier_score is not None
    assert first.classifier_score["low"] < 0.5 < first.classifier_score["high"]
    assert not any("separability" in alarm for alarm in first.alarms)
    classifier_score = [any(alarm.startswith("separability") for alarm in check.alarms) for check in (
        _classified(rising, (first,), reward=2.0),  # told apart, and the reward rose
        _classified(tunes(240, 4), (first,), reward=2.0),  # not told apart
    )]  # fmt: skip
    assert classifier_score == [True, False]
    assert DiversityCheck.from_json(first.to_json()) == first
