"""Discriminators: causal features that are invariant under transposition, and the true log odds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cantilena.discriminators import DiscriminatorEnsemble, HumanMelodies, StoppingClassifier
from cantilena.discriminators.ensemble import prefix_feature_sizes, prefix_features
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()
STEPS = 8


def drawn(melodies: int, seed: int) -> Line:
    """Random tokens of the grid, with rests and holds."""
    return GRID.line(np.random.default_rng(seed).integers(0, 38, (melodies, 40)))


def two_notes(melodies: int, chance: float, seed: int) -> NDArray[np.int64]:
    """Melodies of C and D, one at every step, independent, D with a probability."""
    return np.where(np.random.default_rng(seed).random((melodies, STEPS)) < chance, 16, 14)


def human_of(tokens: NDArray[np.int64]) -> HumanMelodies:
    return HumanMelodies(GRID.line(tokens), np.arange(len(tokens)), np.zeros(len(tokens), dtype=np.int64))


def test_features_of_a_prefix_do_not_depend_on_later_steps() -> None:
    line = drawn(50, 1)
    whole = prefix_features(line, 0, 16)
    for steps in (1, 7, 23):
        begun = Line(
            line.event[:, :steps], line.pitch[:, :steps], line.pitch_classes[:, :steps], line.length * 0 + steps
        )
        np.testing.assert_array_equal(prefix_features(begun, 0, 16), whole[:, :steps])


def test_features_are_invariant_under_transposition() -> None:
    line = drawn(50, 2)
    higher = Line.from_events(line.event, np.where(line.pitch >= 0, line.pitch + 5, -1))
    np.testing.assert_array_equal(prefix_features(higher, 5, 16), prefix_features(line, 0, 16))


def test_features_are_within_their_sizes() -> None:
    for bar in (3, 12, 16):
        heard = prefix_features(drawn(300, bar), np.arange(300) % 12, bar)
        assert heard.min() >= 0
        assert (heard.max(axis=(0, 1)) < np.array(prefix_feature_sizes(bar))).all()


@pytest.mark.e2e
def test_log_odds_approach_the_log_ratio() -> None:
    """Human melodies have D with .7, generated ones with .4: the evidence of D is log(.7 / .4), of C log(.3 / .6)."""
    human, generated = two_notes(4000, 0.7, 1), two_notes(4000, 0.4, 2)
    ensemble = DiscriminatorEnsemble(human_of(human), members=2, steps_per_bar=4)
    ensemble.train(ensemble.encode(GRID.line(generated), 0), updates=250, round_=0)
    new = two_notes(400, 0.5, 3)
    truth = np.where(new == 16, np.log(0.7 / 0.4), np.log(0.3 / 0.6)).cumsum(axis=1)
    odds = ensemble.log_odds(ensemble.encode(GRID.line(new), 0)).numpy()
    for step in (0, 3, 7):
        assert np.corrcoef(odds[:, step], truth[:, step])[0, 1] > 0.97
        assert np.polyfit(truth[:, step], odds[:, step], 1)[0] == pytest.approx(1.0, abs=0.25)
    assert np.abs(odds[:, 0] - truth[:, 0]).max() < 0.2


def test_equal_distributions_give_no_evidence() -> None:
    ensemble = DiscriminatorEnsemble(human_of(two_notes(3000, 0.5, 1)), members=2, steps_per_bar=4)
    ensemble.train(ensemble.encode(GRID.line(two_notes(3000, 0.5, 2)), 0), updates=80, round_=0)
    new = ensemble.encode(GRID.line(two_notes(500, 0.5, 3)), 0)
    assert abs(float(ensemble.log_odds(new)[:, -1].mean())) < 0.15
    assert ensemble.accuracy(new, 1) == pytest.approx(0.5, abs=0.08)


def test_each_member_holds_out_whole_pieces() -> None:
    tokens = np.repeat(two_notes(30, 0.5, 1), 4, axis=0)
    human = HumanMelodies(GRID.line(tokens), np.repeat(np.arange(30), 4), np.zeros(120, dtype=np.int64))
    ensemble = DiscriminatorEnsemble(human, members=3, steps_per_bar=4)
    for learned, examined in zip(ensemble.training_rows, ensemble.held_out_rows, strict=True):
        assert not set(human.piece[learned]) & set(human.piece[examined])
        assert len(learned) + len(examined) == 120
        assert len(examined) == 40


def test_a_restored_ensemble_continues_identically() -> None:
    human, heard = human_of(two_notes(200, 0.7, 1)), two_notes(200, 0.4, 2)
    first, second = (DiscriminatorEnsemble(human, members=2, steps_per_bar=4, seed=seed) for seed in (5, 5))
    generated = first.encode(GRID.line(heard), 0)
    first.train(generated, updates=5, round_=0)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    before = torch.random.get_rng_state()
    for ensemble in (first, second):
        ensemble.train(generated, updates=5, round_=1, older=generated[:20])
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first.log_odds(generated), second.log_odds(generated))


def test_the_stopping_classifier_tells_different_distributions_only() -> None:
    classifier = StoppingClassifier(human_of(two_notes(300, 0.7, 1)), 4)
    rng = np.random.default_rng(1)
    other, alike = (classifier.evaluate(GRID.line(two_notes(300, chance, 2)), rng) for chance in (0.3, 0.7))
    assert other.auc.low > 0.8
    assert other.log_odds < -1
    assert alike.auc.low < 0.5 < alike.auc.high
    assert abs(alike.log_odds) < 0.3
    assert classifier.evaluate(GRID.line(two_notes(0, 0.5, 1)), rng).log_odds == 0.0
