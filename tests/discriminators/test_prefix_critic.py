"""The critic of prefixes: causal, the same step by step, and able to learn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cantilena.discriminators import PrefixCritic, RunningCritic, in_parallel, prefix_critic_training
from cantilena.models import Bars, critic_features, critic_rows
from cantilena.music import Meter
from cantilena.tokenizers import NotesEncoding

NOTES = NotesEncoding()
EIGHTH = NOTES.vocabulary.index("1/8")
FIRST = NOTES.parts[1][0]


def rows_of(pitches: np.ndarray) -> list[np.ndarray]:
    """Melodies of eighths with `(melodies, notes)` pitches above the lowest."""
    tokens = np.stack([np.full_like(pitches, EIGHTH), pitches + FIRST], axis=2).reshape(len(pitches), -1)
    bars = Bars.from_meter(Meter(), melodies=len(pitches), ticks_per_step=1, length=12 * pitches.shape[1])
    return critic_rows(critic_features(NOTES), tokens, bars)


def test_later_notes_change_no_earlier_odds() -> None:
    rng = np.random.default_rng(1)
    pitches = rng.integers(0, 24, (2, 12))
    pitches[1, :6] = pitches[0, :6]
    first, second = PrefixCritic(NOTES).log_odds(rows_of(pitches))
    np.testing.assert_array_equal(first[:6], second[:6])
    assert not np.array_equal(first[6:], second[6:])


def test_notes_tried_beside_melodies_have_the_odds_of_whole_ones() -> None:
    rows = rows_of(np.random.default_rng(2).integers(0, 24, (3, 20)))
    critic = PrefixCritic(NOTES)
    whole, running = critic.log_odds(rows), RunningCritic(critic, melodies=3)
    for note in range(20):
        tried = np.stack([one[note] for one in rows])
        odds, described = running.attempt(tried, np.arange(3))
        np.testing.assert_allclose(odds, [one[note] for one in whole], atol=1e-5)
        running.take(described, np.ones(3, dtype=np.bool_))


def test_a_melody_that_has_ended_stays() -> None:
    rows = rows_of(np.random.default_rng(3).integers(0, 24, (2, 4)))
    running = RunningCritic(PrefixCritic(NOTES), melodies=2)
    odds, described = running.attempt(np.stack([one[0] for one in rows]), np.arange(2))
    running.take(described, np.array([True, False]))
    again, _ = running.attempt(rows[1][:1], np.array([1]))
    assert again[0] == pytest.approx(odds[1], abs=1e-6)


def test_it_learns_to_tell_steps_from_leaps() -> None:
    rng = np.random.default_rng(4)
    steps = 12 + np.abs(np.cumsum(rng.integers(-1, 2, (160, 16)), axis=1)) % 12
    leaps = rng.integers(0, 24, (160, 16))
    people, generated = rows_of(steps), rows_of(leaps)
    critic = PrefixCritic(NOTES)
    assert sum(1 for _ in prefix_critic_training(critic, people[:128], generated[:128], rng, epochs=30)) == 120
    ours, theirs = critic.log_odds(people[128:]), critic.log_odds(generated[128:])
    assert np.mean([one[-1] > 0 for one in ours]) > 0.9
    assert np.mean([one[-1] < 0 for one in theirs]) > 0.9
    assert np.mean([one[7] for one in ours]) > np.mean([one[7] for one in theirs]) + 1.0


def test_critics_in_parallel_learn_what_each_learns_alone() -> None:
    rows = rows_of(np.random.default_rng(5).integers(0, 24, (80, 10)))

    def training(critic: PrefixCritic) -> Iterator[None]:
        return prefix_critic_training(critic, rows[:40], rows[40:], np.random.default_rng(6), epochs=3)

    alone, first, second = PrefixCritic(NOTES, 1), PrefixCritic(NOTES, 1), PrefixCritic(NOTES, 2)
    list(training(alone))
    assert sum(1 for _ in in_parallel([training(first), training(second)])) == 3
    for name, value in alone.state_dict().items():
        assert torch.equal(value, first.state_dict()[name])


def test_a_training_that_fails_says_so() -> None:
    def failing() -> Iterator[None]:
        yield
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        list(in_parallel([iter([None] * 3), failing()]))
