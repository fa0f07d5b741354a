"""The watch sees collapse, says so in words, stops, and keeps the best weights inside the gate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cantilena.discriminators import PeoplesMelodies, StoppingListener
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.music import Line
from cantilena.rl import Look, PolicyOptions, TuningOptions, Watch, WatchOptions, tune
from cantilena.rl.watch import holds, rests, sounding
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


def looked(tokens: NDArray[np.int64], people: NDArray[np.int64] | None, entropy: float = 1.0) -> Look:
    watch = Watch(None if people is None else GRID.line(people), GRID.line(tunes(200, 9)), entropy=1.0)
    return watch.look(GRID.line(tokens), RNG, update=1, reward=0.0, kl=0.1, entropy=entropy)


def test_melodies_like_peoples_are_inside() -> None:
    look = looked(tunes(200, 1), tunes(300, 2))
    assert look.inside, look.alarms
    assert look.distinct_4 == pytest.approx(look.reference["distinct_4"], abs=0.03)
    assert look.vendi == pytest.approx(look.reference["vendi"], rel=0.1)


def test_one_melody_for_ever_is_outside() -> None:
    look = looked(np.tile(tunes(1, 3), (200, 1)), tunes(300, 2))
    words = " ".join(look.alarms)
    assert "distinct-4" in words
    assert "Vendi" in words
    assert "self-BLEU" in words
    assert look.different == 1 / 200


def test_a_few_melodies_in_turn_are_outside_even_without_peoples() -> None:
    look = looked(np.tile(tunes(5, 3), (40, 1)), None)
    assert "the untuned model's" in " ".join(look.alarms)


@pytest.mark.parametrize(("token", "word"), [(1, "holds"), (0, "rests")])
def test_melodies_that_hardly_move_or_hardly_sound_are_outside(token: int, word: str) -> None:
    still = tunes(200, 1)
    still[np.random.default_rng(2).random(still.shape) < 0.6] = token
    assert any(alarm.startswith(word) for alarm in looked(still, tunes(300, 2)).alarms)


def test_a_decided_policy_is_outside() -> None:
    assert any("entropy" in alarm for alarm in looked(tunes(200, 1), tunes(300, 2), entropy=0.2).alarms)


def test_silence_and_few_notes_are_numbers_or_nothing() -> None:
    look = looked(np.zeros((50, 32), dtype=np.int64), tunes(300, 2))
    assert not look.inside
    assert look.rests == 1.0
    again = Look.from_json(look.as_json())
    assert math.isnan(again.distinct_4) == math.isnan(look.distinct_4)
    assert again.alarms == look.alarms


def test_what_sounds_is_held_and_what_does_not_is_a_rest() -> None:
    line = GRID.line(np.array([[1, 14, 1, 0, 1, 16, 0, 0]]))
    assert sounding(line)[0].tolist() == [False, True, True, False, False, True, False, False]
    assert holds(line).tolist() == [1 / 8]
    assert rests(line).tolist() == [5 / 8]
    padded = Line.from_events(line.event, line.pitch, length=np.array([3]))
    assert rests(padded).tolist() == [1 / 3]


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
"""It learns from its one best melody alone, so that it collapses."""


def test_collapse_is_stopped_and_the_best_inside_is_kept() -> None:
    tuned = tune(_bundle(), _GREEDY, people=tunes(300, 2, steps=16))
    assert tuned.stopped
    assert tuned.steps < 80 * 64 * 16
    assert [look.inside for look in tuned.looks[-2:]] == [False, False]
    inside = [look for look in tuned.looks if look.inside]
    if inside:
        assert tuned.kept == max(inside, key=lambda look: look.reward).update


def test_a_watch_that_may_not_stop_only_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    freely = replace(_GREEDY, watch=replace(_GREEDY.watch, stop=False))
    tuned = tune(_bundle(), freely, people=tunes(300, 2, steps=16))
    assert not tuned.stopped
    assert tuned.steps == 80 * 64 * 16
    assert any(look.alarms for look in tuned.looks)
    assert "Update" in capsys.readouterr().err


def test_the_kept_weights_are_those_of_the_look() -> None:
    """Stopping right at the look that was kept gives the same model."""
    tuned = tune(_bundle(), replace(_GREEDY, algorithm="rloo", learning_rate=0.003, updates=40), people=None)
    assert tuned.kept > 0
    assert tuned.bundle.provenance["tuning"]["kept_update"] == tuned.kept


def _listened(tokens: NDArray[np.int64], earlier: tuple[Look, ...], reward: float) -> Look:
    people = PeoplesMelodies(GRID.line(tunes(240, 2)), np.arange(240), np.zeros(240, dtype=np.int64))
    untuned = GRID.line(tunes(240, 9))
    listener = StoppingListener(people)
    before = listener.listen(untuned, np.random.default_rng(1))
    watch = Watch(people.line, untuned, 1.0, listener, before)
    rng = np.random.default_rng(2)
    return watch.look(GRID.line(tokens), rng, update=1, reward=reward, kl=0.1, entropy=1.0, critic=0.0, earlier=earlier)


def test_melodies_that_please_those_who_reward_and_not_the_other_listener_are_outside() -> None:
    rising = np.sort(tunes(240, 1), axis=1)
    first = _listened(tunes(240, 1), (), reward=1.0)
    assert first.told is not None
    assert first.told["low"] < 0.5 < first.told["high"]
    assert not any("separability" in alarm for alarm in first.alarms)
    told = [any("separability rose" in alarm for alarm in look.alarms) for look in (
        _listened(rising, (first,), reward=2.0),  # told, while the reward rose
        _listened(tunes(240, 4), (first,), reward=2.0),  # not told
    )]  # fmt: skip
    assert told == [True, False]
    assert Look.from_json(first.as_json()) == first
