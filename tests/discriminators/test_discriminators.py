"""Discriminators hear no step ahead and no key, and their log odds are those that the truth has."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cantilena.discriminators import Discriminators, PeoplesMelodies, StoppingListener
from cantilena.discriminators.discriminator import heard_so_far, kinds_heard
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()
STEPS = 8


def drawn(melodies: int, seed: int) -> Line:
    """Anything that the grid can say, silence and holds among it."""
    return GRID.line(np.random.default_rng(seed).integers(0, 38, (melodies, 40)))


def two_notes(melodies: int, chance: float, seed: int) -> NDArray[np.int64]:
    """Melodies of C and D, struck at every step, D with a chance; each step is as the others."""
    return np.where(np.random.default_rng(seed).random((melodies, STEPS)) < chance, 16, 14)


def people_of(tokens: NDArray[np.int64]) -> PeoplesMelodies:
    return PeoplesMelodies(GRID.line(tokens), np.arange(len(tokens)), np.zeros(len(tokens), dtype=np.int64))


def test_what_is_heard_so_far_says_nothing_of_what_comes() -> None:
    line = drawn(50, 1)
    whole = heard_so_far(line, 0, 16)
    for steps in (1, 7, 23):
        begun = Line(
            line.event[:, :steps], line.pitch[:, :steps], line.pitch_classes[:, :steps], line.length * 0 + steps
        )
        np.testing.assert_array_equal(heard_so_far(begun, 0, 16), whole[:, :steps])


def test_what_is_heard_is_the_same_in_every_key() -> None:
    line = drawn(50, 2)
    higher = Line.from_events(line.event, np.where(line.pitch >= 0, line.pitch + 5, -1))
    np.testing.assert_array_equal(heard_so_far(higher, 5, 16), heard_so_far(line, 0, 16))


def test_what_is_heard_fits_where_it_is_looked_up() -> None:
    for bar in (3, 12, 16):
        heard = heard_so_far(drawn(300, bar), np.arange(300) % 12, bar)
        assert heard.min() >= 0
        assert (heard.max(axis=(0, 1)) < np.array(kinds_heard(bar))).all()


def test_log_odds_approach_the_log_ratio() -> None:
    """People play D with .7 and the model with .4: a D is worth log(.7 / .4), a C log(.3 / .6), step after step."""
    people, generated = two_notes(4000, 0.7, 1), two_notes(4000, 0.4, 2)
    ears = Discriminators(people_of(people), members=2, steps_per_bar=4)
    ears.learn(ears.hear(GRID.line(generated), 0), lessons=250, round_=0)
    fresh = two_notes(400, 0.5, 3)
    truth = np.where(fresh == 16, np.log(0.7 / 0.4), np.log(0.3 / 0.6)).cumsum(axis=1)
    odds = ears.log_odds(ears.hear(GRID.line(fresh), 0)).numpy()
    for step in (0, 3, 7):
        assert np.corrcoef(odds[:, step], truth[:, step])[0, 1] > 0.97
        assert np.polyfit(truth[:, step], odds[:, step], 1)[0] == pytest.approx(1.0, abs=0.25)
    assert np.abs(odds[:, 0] - truth[:, 0]).max() < 0.2


def test_where_both_sides_are_alike_nothing_is_earned() -> None:
    ears = Discriminators(people_of(two_notes(4000, 0.5, 1)), members=3, steps_per_bar=4)
    ears.learn(ears.hear(GRID.line(two_notes(4000, 0.5, 2)), 0), lessons=150, round_=0)
    fresh = ears.hear(GRID.line(two_notes(500, 0.5, 3)), 0)
    assert abs(float(ears.log_odds(fresh)[:, -1].mean())) < 0.15
    assert ears.accuracy(fresh, 1) == pytest.approx(0.5, abs=0.08)


def test_each_is_examined_on_pieces_that_it_never_learned_from() -> None:
    tokens = np.repeat(two_notes(30, 0.5, 1), 4, axis=0)
    people = PeoplesMelodies(GRID.line(tokens), np.repeat(np.arange(30), 4), np.zeros(120, dtype=np.int64))
    ears = Discriminators(people, members=3, steps_per_bar=4)
    for learned, examined in zip(ears.learned, ears.examined, strict=True):
        assert not set(people.piece[learned]) & set(people.piece[examined])
        assert len(learned) + len(examined) == 120
        assert len(examined) == 40


def test_restored_discriminators_go_on_alike_and_disturb_nobody() -> None:
    people, heard = people_of(two_notes(200, 0.7, 1)), two_notes(200, 0.4, 2)
    first, second = (Discriminators(people, members=2, steps_per_bar=4, seed=seed) for seed in (5, 5))
    generated = first.hear(GRID.line(heard), 0)
    first.learn(generated, lessons=5, round_=0)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    before = torch.random.get_rng_state()
    for ears in (first, second):
        ears.learn(generated, lessons=5, round_=1, older=generated[:20])
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first.log_odds(generated), second.log_odds(generated))


def test_the_listener_that_stops_tells_what_differs_and_not_what_is_alike() -> None:
    listener = StoppingListener(people_of(two_notes(300, 0.7, 1)), 4)
    rng = np.random.default_rng(1)
    other, alike = (listener.listen(GRID.line(two_notes(300, chance, 2)), rng) for chance in (0.3, 0.7))
    assert other.auc.low > 0.8
    assert other.log_odds < -1
    assert alike.auc.low < 0.5 < alike.auc.high
    assert abs(alike.log_odds) < 0.3
    assert listener.listen(GRID.line(two_notes(0, 0.5, 1)), rng).log_odds == 0.0
