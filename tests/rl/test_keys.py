"""Tuning in several keys in turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.models import Bars, Bundle, Network, NetworkOptions
from cantilena.music import Key, Meter, parse_pitch_class
from cantilena.rl import MusicReward, TuningOptions, WatchOptions, tune
from cantilena.rules import RULE_SETS
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()
PITCH = [int(token) - 2 + GRID.low for token in range(len(GRID.vocabulary))]


def untuned() -> Bundle:
    shape = NetworkOptions(width=16, embedding=16, conditions=("mode",))
    network = Network(shape, len(GRID.vocabulary), seed=1)
    return Bundle(shape, network.numpy_weights(), GRID.description(), licence="free", provenance={"plain_keys": True})


def options(**changes: object) -> TuningOptions:
    usual = {"steps": 8, "melodies": 64, "updates": 5, "learning_rate": 0.02, "watch": WatchOptions(look=2, watched=16)}
    return TuningOptions(**usual | changes)  # type: ignore[arg-type]


def first_is(bundle: Bundle, tonic: str, key: str) -> float:
    """The probability that the first token is a pitch, if the model is told a key."""
    bars = Bars.from_meter(Meter(), melodies=1, ticks_per_step=6, key=Key.parse(key))
    first = np.exp(bundle.model().start(1, bars=bars)[0])[0]  # type: ignore[call-arg]
    return float(sum(p for p, pitch in zip(first, PITCH, strict=True) if pitch % 12 == parse_pitch_class(tonic)))


@pytest.mark.e2e
def test_a_model_learns_the_tonic_of_each_key_that_it_is_told() -> None:
    others = (name for name in RULE_SETS["rl-tuner"].names if name != "tonic")
    weights = ("tonic=3", *(f"{name}=0" for name in others))
    asked = options(weights=weights, c=0.3, updates=160, watch=WatchOptions(look=0), also_keys=("D minor",))
    tuned = tune(untuned(), asked).bundle  # A minor in plain keys
    assert first_is(tuned, "C", "C major") > 1.5 * first_is(tuned, "C", "A minor")
    assert first_is(tuned, "A", "A minor") > 1.5 * first_is(tuned, "A", "C major")
    assert tuned.provenance["tuning"]["also_keys"] == ["D minor"]


def test_updates_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    rewards = MusicReward.terms

    def terms(reward: MusicReward, tokens: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        heard.append(reward.context.key.name)
        return rewards(reward, tokens)

    monkeypatch.setattr(MusicReward, "terms", terms)
    tune(untuned(), options(also_keys=("D minor", "E dorian"), watch=WatchOptions(look=0)))
    assert heard == ["C major", "A minor", "D dorian", "C major", "A minor"]
    assert "also_keys" not in tune(untuned(), options(updates=1)).bundle.provenance["tuning"]


def test_an_interrupted_tuning_goes_on_in_the_key_whose_turn_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = options(also_keys=("A minor", "D dorian"))
    whole = tune(untuned(), asked)

    def stop(state: object) -> None:
        if state.updates == 4:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    with pytest.raises(KeyboardInterrupt):
        tune(untuned(), asked, folder=tmp_path, after_update=stop)
    resumed = tune(untuned(), asked, folder=tmp_path, resume=True)
    assert resumed.history == whole.history
    assert all((resumed.bundle.weights[name] == weight).all() for name, weight in whole.bundle.weights.items())


def test_only_learners_from_new_melodies_take_several_keys() -> None:
    with pytest.raises(UsageError, match="q cannot learn in several keys"):
        options(algorithm="q", also_keys=("A minor",))
    with pytest.raises(UsageError, match="not the name of a note"):
        options(also_keys=("H major",))
