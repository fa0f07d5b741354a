"""Tuning takes any bundle and any length: other ranges of the grid, chords without time, 8 steps and 512."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.generation import ComposeOptions, Composer
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.rl import TuningOptions, ValueOptions, WatchOptions, tune
from cantilena.rules import RULE_SETS
from cantilena.tokenizers import Encoding, EventsEncoding, GridEncoding

SHAPE = NetworkOptions(width=16, embedding=8)
CHORDS = EventsEncoding(("C4", "D4", "E4", "F#4", "G4", "C5", "0.4.7", "2.6.9"))
ENCODINGS = {
    "low": GridEncoding(21, 59),
    "wide": GridEncoding(0, 127),
    "octave": GridEncoding(60, 71),
    "triplets": GridEncoding(steps_per_quarter=3),
    "chords": CHORDS,
    "whole chords": EventsEncoding(("C4", "C4+E4+G4", "D4+F#4+A4"), chords="full"),
}


def bundle(encoding: Encoding, shape: NetworkOptions = SHAPE) -> Bundle:
    weights = Network(shape, len(encoding.vocabulary), seed=3).numpy_weights()
    return Bundle(shape, weights, encoding.description(), provenance={"plain_keys": False})


def options(algorithm: str, rules: str = "rl-tuner", *, steps: int = 16) -> TuningOptions:
    return TuningOptions(
        algorithm=algorithm,  # type: ignore[arg-type]
        rules=rules,
        updates=2,
        melodies=8,
        steps=steps,
        device="cpu",
        value=ValueOptions(replay=16),
        watch=WatchOptions(look=0),
    )


@pytest.mark.parametrize("rules", ["rl-tuner", "paper", "cantilena"])
@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("algorithm", ["rloo", "q"])
def test_every_encoding_is_tuned_and_composes(algorithm: str, name: str, rules: str) -> None:
    encoding = ENCODINGS[name]
    tuned = tune(bundle(encoding), options(algorithm, rules))
    assert set(tuned.history.terms) == set(RULE_SETS[rules].names)
    for term in tuned.history.terms.values():
        assert np.isfinite(term).all()
    composer = Composer.from_bundle(tuned.bundle)
    assert composer.encoding == encoding
    made = composer.compose_many(2, ComposeOptions(events=24, constrain=f"{rules}:key"))
    assert all(len(melody.tokens) == 24 for melody in made)
    assert all(np.isfinite([melody.log_likelihood, melody.policy_log_likelihood]).all() for melody in made)


ALGORITHMS = ("rloo", "ppo", "q", "double-q", "psi", "g", "rejection")
LONG = [pytest.param(name, marks=() if name in ("rloo", "q") else pytest.mark.slow) for name in ALGORITHMS]


def tune_at_length(algorithm: str, encoding: Encoding, steps: int) -> None:
    tuned = tune(bundle(encoding), options(algorithm, steps=steps))
    assert tuned.steps == 2 * 8 * steps
    assert all(np.isfinite(term).all() for term in tuned.history.terms.values())
    made = Composer.from_bundle(tuned.bundle).compose(events=steps)
    assert len(made.tokens) == steps


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_transformer_is_tuned_and_composes_beyond_its_reach(algorithm: str) -> None:
    shape = NetworkOptions(core="transformer", layers=2, width=16, embedding=8, max_context=10)
    before = bundle(GridEncoding(), shape)
    tuned = tune(before, options(algorithm))
    assert tuned.bundle.options == shape
    assert all(np.isfinite(term).all() for term in tuned.history.terms.values())
    assert tuned.bundle.prior_weights is not None
    look = "core.layers.1.look.weight"
    assert (tuned.bundle.weights[look] != before.weights[look]).any()
    np.testing.assert_array_equal(tuned.bundle.prior_weights[look], before.weights[look])
    made = Composer.from_bundle(tuned.bundle).compose(events=40)
    assert len(made.tokens) == 40


def test_the_reference_mode_steps_no_transformer() -> None:
    shape = NetworkOptions(core="transformer", width=16, embedding=8)
    with pytest.raises(UsageError, match="recurrent"):
        tune(bundle(GridEncoding(), shape), replace(options("q"), reference_mode=True))


@pytest.mark.parametrize("encoding", [GridEncoding(), CHORDS], ids=["grid", "chords"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_shortest_melodies(algorithm: str, encoding: Encoding) -> None:
    tune_at_length(algorithm, encoding, 8)


@pytest.mark.parametrize("encoding", [GridEncoding(), CHORDS], ids=["grid", "chords"])
@pytest.mark.parametrize("algorithm", LONG)
def test_the_longest_melodies(algorithm: str, encoding: Encoding) -> None:
    tune_at_length(algorithm, encoding, 512)
