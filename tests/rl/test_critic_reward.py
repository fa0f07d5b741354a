"""The critic: the model approaches the human distribution, runs resume, roles are disjoint."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from cantilena.discriminators import HumanMelodies
from cantilena.errors import UsageError
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.rl import (
    CriticData,
    CriticOptions,
    CriticReward,
    Rloo,
    TuningOptions,
    WatchOptions,
    music_reward,
    sample_melodies,
    tune,
)
from cantilena.rl.reward import most_tokens
from cantilena.tokenizers import END, GridEncoding, NotesEncoding

GRID = GridEncoding()
STEPS, G4 = 8, 21
SMALL = NetworkOptions(width=24, embedding=16)
CRITIC = CriticOptions(
    critic=True, critic_start=30, critic_members=2, critic_replay=256, critic_every=1, critic_lessons=3
)


def bundle() -> Bundle:
    network = Network(SMALL, 38, seed=3)
    return Bundle(SMALL, network.numpy_weights(), GRID.description())


def options(**changes: object) -> TuningOptions:
    asked = TuningOptions(
        rules="none",
        updates=4,
        melodies=32,
        steps=STEPS,
        learning_rate=0.01,
        device="cpu",
        watch=WatchOptions(look=0),
        critic=CRITIC,
    )
    return replace(asked, **changes)  # type: ignore[arg-type]


def human_melodies(melodies: int, seed: int, first: str) -> HumanMelodies:
    """Samples of the untuned model, except that all start on G."""
    tokens = sample_melodies(bundle().network(), melodies, STEPS, torch.Generator().manual_seed(seed)).numpy()
    tokens[:, 0] = G4
    return HumanMelodies(
        GRID.line(tokens), np.char.add(first, np.arange(melodies).astype(str)), np.zeros(melodies, dtype=np.int64)
    )


@cache
def critic_data() -> CriticData:
    return CriticData(human_melodies(400, 1, "a"), human_melodies(120, 2, "b"))


@pytest.mark.parametrize(
    ("algorithm", "updates"),
    [("rloo", 60), ("ppo", 25)],  # which takes larger steps
)
@pytest.mark.e2e
def test_the_model_learns_the_human_first_note(algorithm: str, updates: int) -> None:
    hearing = replace(CRITIC, critic_start=60, critic_lessons=6)
    asked = options(algorithm=algorithm, updates=updates, melodies=96, learning_rate=0.01, critic=hearing)
    tuned = tune(bundle(), asked, critic_data=critic_data())
    before, after = (
        float((sample_melodies(model, 400, STEPS, torch.Generator().manual_seed(7))[:, 0] == G4).double().mean())
        for model in (bundle().network(), tuned.bundle.network())
    )
    assert before < 0.1
    assert after > 0.5
    assert list(tuned.history.terms) == ["critic"]
    assert len(tuned.history.accuracy) == updates
    assert tuned.history.accuracy[-1] < tuned.history.accuracy[0]


def test_rewards_by_step_sum_to_the_clipped_log_odds() -> None:
    asked = options(critic=replace(CRITIC, critic_clip=0.5, critic_weight=2.0), c=4.0)
    critic = CriticReward(critic_data().reward, music_reward(bundle(), asked), asked)
    draw = lambda melodies: sample_melodies(bundle().network(), melodies, STEPS, torch.Generator().manual_seed(4))  # noqa: E731
    critic.pretrain(draw)
    tokens = draw(50)
    points = critic.score(tokens)
    odds = critic.ensemble.log_odds(critic.ensemble.encode(GRID.line(tokens.numpy()), 0))[:, -1].numpy()
    assert points.shape == (50, STEPS)
    assert (np.abs(odds) > 0.5).any()
    np.testing.assert_allclose(points.sum(1), 2.0 * 4.0 * odds.clip(-0.5, 0.5), rtol=1e-5)
    np.testing.assert_array_equal(critic.score_and_train(tokens), points)  # scored before the training
    human = tokens.clone()
    human[:, 0] = G4
    assert critic.score(human).sum(1).mean() > critic.score(tokens).sum(1).mean() + 2.0


def test_models_of_notes_learn_from_critics_too() -> None:
    notes = NotesEncoding()
    shape = replace(SMALL, durations=notes.durations, pitches=36)
    untuned = Bundle(shape, Network(shape, len(notes.vocabulary), seed=3).numpy_weights(), notes.description())
    hearing = replace(CRITIC, critic_start=5, critic_lessons=1)
    asked = options(rules="paper", updates=2, melodies=16, watch=WatchOptions(look=2, watched=64), critic=hearing)
    bars = music_reward(untuned, asked).bars(160, STEPS)

    def melodies(count: int, seed: int, first: str) -> HumanMelodies:
        rng = torch.Generator().manual_seed(seed)
        tokens = sample_melodies(untuned.network(), count, most_tokens(notes, STEPS), rng, bars=bars[:count], end=END)  # type: ignore[index]
        names = np.char.add(first, np.arange(count).astype(str))
        return HumanMelodies(notes.line(tokens.numpy()), names, np.zeros(count, dtype=np.int64))

    data = CriticData(melodies(160, 1, "a"), melodies(100, 2, "b"))
    tuned = tune(untuned, asked, critic_data=data)
    assert {"critic", "key", "tonic"} <= set(tuned.history.terms)
    assert np.isfinite(tuned.history.terms["critic"]).all()
    assert tuned.checks[0].classifier_score is not None


def test_rules_and_critic_are_divided_by_c_together() -> None:
    asked = options(rules="rl-tuner", updates=1)
    tuned = tune(bundle(), asked, critic_data=critic_data())
    assert {"critic", "key", "tonic"} <= set(tuned.history.terms)
    assert tuned.bundle.provenance["tuning"]["critic"]["critic"] is True


@pytest.mark.parametrize("look", [pytest.param(0, marks=pytest.mark.e2e), 2])
def test_an_interrupted_run_resumes(look: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    hearing = replace(CRITIC, critic_start=10)
    asked = options(rules="paper", watch=WatchOptions(look=look, watched=96), critic=hearing)
    whole = tune(bundle(), asked, critic_data=critic_data())

    class InterruptedHereError(Exception):
        pass

    plain, calls = Rloo.update, []

    def stop_at_the_fourth(self: Rloo, progress: float) -> object:
        calls.append(progress)
        if len(calls) == 4:
            raise InterruptedHereError
        return plain(self, progress)

    monkeypatch.setattr(Rloo, "update", stop_at_the_fourth)
    with pytest.raises(InterruptedHereError):
        tune(bundle(), asked, critic_data=critic_data(), folder=tmp_path)
    monkeypatch.setattr(Rloo, "update", plain)
    resumed = tune(bundle(), asked, critic_data=critic_data(), folder=tmp_path, resume=True)
    for name, weight in whole.bundle.weights.items():
        np.testing.assert_array_equal(resumed.bundle.weights[name], weight)
    assert resumed.history == whole.history
    assert resumed.checks == whole.checks


def test_checks_have_the_score_of_the_stopping_classifier() -> None:
    tuned = tune(bundle(), options(updates=2, watch=WatchOptions(look=1, watched=96)), critic_data=critic_data())
    for check in tuned.checks:
        assert check.critic is not None
        assert check.classifier_score is not None
        assert (
            0.0
            <= check.classifier_score["low"]
            <= check.classifier_score["auc"]
            <= check.classifier_score["high"]
            <= 1.0
        )
    watch = WatchOptions(look=1, watched=96)
    alone = tune(bundle(), options(rules="paper", updates=1, critic=CriticOptions(), watch=watch))
    assert alone.checks[0].classifier_score is None
    assert alone.history.accuracy == []


def test_a_piece_is_in_one_role() -> None:
    with pytest.raises(UsageError, match="piece a0"):
        CriticData(human_melodies(30, 1, "a"), human_melodies(30, 2, "a"))


def test_invalid_combinations_are_refused() -> None:
    with pytest.raises(UsageError, match="human melodies") as refused:
        tune(bundle(), options())
    assert "--against CORPUS" in refused.value.hint
    for algorithm in ("q", "double-q", "psi", "g"):
        with pytest.raises(UsageError, match="reward changes"):
            TuningOptions(algorithm=algorithm, critic=CRITIC)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="neither rules nor a critic"):
        TuningOptions(rules="none")
    with pytest.raises(UsageError, match="no rule 'tonic'"):
        music_reward(bundle(), options(weights=("tonic=2",)))
