"""A critic teaches: the model learns what people do, a resumed run is the same, roles are kept apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cantilena.discriminators import HumanMelodies
from cantilena.errors import UsageError
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.rl import (
    CriticOptions,
    CriticData,
    CriticReward,
    Rloo,
    TuningOptions,
    WatchOptions,
    music_reward,
    sample_melodies,
    tune,
)
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()
STEPS, G4 = 8, 21
SMALL = NetworkOptions(width=24, embedding=16)
HEARING = CriticOptions(
    critic=True, critic_start=60, critic_members=2, critic_replay=256, critic_every=1, critic_lessons=3
)


def bundle() -> Bundle:
    network = Network(SMALL, 38, seed=3)
    return Bundle(SMALL, network.numpy_weights(), GRID.description())


def options(**changes: object) -> TuningOptions:
    asked = TuningOptions(
        rules="none",
        updates=6,
        melodies=64,
        steps=STEPS,
        learning_rate=0.01,
        device="cpu",
        watch=WatchOptions(look=0),
        critic=HEARING,
    )
    return replace(asked, **changes)  # type: ignore[arg-type]


def like_the_model_but_from_g(melodies: int, seed: int, first: str) -> HumanMelodies:
    """People who play as the untuned model does, except that they always begin on G."""
    tokens = sample_melodies(bundle().network(), melodies, STEPS, torch.Generator().manual_seed(seed)).numpy()
    tokens[:, 0] = G4
    return HumanMelodies(
        GRID.line(tokens), np.char.add(first, np.arange(melodies).astype(str)), np.zeros(melodies, dtype=np.int64)
    )


def human() -> CriticData:
    return CriticData(like_the_model_but_from_g(400, 1, "a"), like_the_model_but_from_g(120, 2, "b"))


@pytest.mark.parametrize(("algorithm", "updates"), [("rloo", 60), ("ppo", 25)])  # which goes further in an update
def test_the_model_learns_how_people_begin(algorithm: str, updates: int) -> None:
    hearing = replace(HEARING, critic_lessons=6)
    asked = options(algorithm=algorithm, updates=updates, melodies=96, learning_rate=0.01, critic=hearing)
    tuned = tune(bundle(), asked, critic_data=human())
    before, after = (
        float((sample_melodies(model, 400, STEPS, torch.Generator().manual_seed(7))[:, 0] == G4).double().mean())
        for model in (bundle().network(), tuned.bundle.network())
    )
    assert before < 0.1
    assert after > 0.5
    assert list(tuned.history.terms) == ["critic"]
    assert len(tuned.history.accuracy) == updates
    assert tuned.history.accuracy[-1] < tuned.history.accuracy[0]


def test_what_is_paid_by_step_sums_to_the_clipped_log_odds() -> None:
    asked = options(critic=replace(HEARING, critic_clip=0.5, critic_weight=2.0), c=4.0)
    critic = CriticReward(human().rewarding, music_reward(bundle(), asked), asked)
    draw = lambda melodies: sample_melodies(bundle().network(), melodies, STEPS, torch.Generator().manual_seed(4))  # noqa: E731
    critic.begin(draw)
    tokens = draw(50)
    points = critic.points_of(tokens)
    odds = critic.discriminators.log_odds(critic.discriminators.hear(GRID.line(tokens.numpy()), 0))[:, -1].numpy()
    assert points.shape == (50, STEPS)
    assert (np.abs(odds) > 0.5).any()
    np.testing.assert_allclose(points.sum(1), 2.0 * 4.0 * odds.clip(-0.5, 0.5), rtol=1e-5)
    np.testing.assert_array_equal(critic.judge(tokens), points)  # heard before anything is learned from them


def test_rules_and_critic_are_divided_by_c_together() -> None:
    asked = options(rules="rl-tuner", updates=1)
    tuned = tune(bundle(), asked, critic_data=human())
    assert {"critic", "key", "tonic"} <= set(tuned.history.terms)
    assert tuned.bundle.provenance["tuning"]["critic"]["critic"] is True


@pytest.mark.parametrize("look", [0, 2])
def test_a_resumed_run_is_the_uninterrupted_one(look: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    asked = options(rules="paper", watch=WatchOptions(look=look, watched=96))
    whole = tune(bundle(), asked, critic_data=human())

    class InterruptedHereError(Exception):
        pass

    plain, calls = Rloo.update, []

    def stop_at_the_fifth(self: Rloo, progress: float) -> object:
        calls.append(progress)
        if len(calls) == 5:
            raise InterruptedHereError
        return plain(self, progress)

    monkeypatch.setattr(Rloo, "update", stop_at_the_fifth)
    with pytest.raises(InterruptedHereError):
        tune(bundle(), asked, critic_data=human(), folder=tmp_path)
    monkeypatch.setattr(Rloo, "update", plain)
    resumed = tune(bundle(), asked, critic_data=human(), folder=tmp_path, resume=True)
    for name, weight in whole.bundle.weights.items():
        np.testing.assert_array_equal(resumed.bundle.weights[name], weight)
    assert resumed.history == whole.history
    assert resumed.checks == whole.checks


def test_the_watch_listens_with_ears_of_its_own() -> None:
    tuned = tune(bundle(), options(watch=WatchOptions(look=3, watched=96)), critic_data=human())
    for look in tuned.checks:
        assert look.critic is not None
        assert look.classifier_score is not None
        assert 0.0 <= look.classifier_score["low"] <= look.classifier_score["auc"] <= look.classifier_score["high"] <= 1.0
    alone = tune(bundle(), options(rules="paper", critic=CriticOptions(), watch=WatchOptions(look=3, watched=96)))
    assert alone.checks[0].classifier_score is None
    assert alone.history.accuracy == []


def test_a_piece_has_one_role() -> None:
    with pytest.raises(UsageError, match="piece a0"):
        CriticData(like_the_model_but_from_g(30, 1, "a"), like_the_model_but_from_g(30, 2, "a"))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="people's melodies") as refused:
        tune(bundle(), options())
    assert "--against CORPUS" in refused.value.hint
    for algorithm in ("q", "double-q", "psi", "g"):
        with pytest.raises(UsageError, match="learns too"):
            TuningOptions(algorithm=algorithm, critic=HEARING)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="nothing to learn from"):
        TuningOptions(rules="none")
    with pytest.raises(UsageError, match="no rule 'tonic'"):
        music_reward(bundle(), options(weights=("tonic=2",)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"critic_weight": 0.0},
        {"critic_weight": float("nan")},
        {"critic_every": 0},
        {"critic_lessons": 0},
        {"critic_start": -1},
        {"critic_members": 0},
        {"critic_members": 33},
        {"critic_clip": 0.0},
        {"critic_replay": 3},
    ],
    ids=str,
)
def test_options_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        CriticOptions(**wrong)  # type: ignore[arg-type]
