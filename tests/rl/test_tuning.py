"""Learning: rewards rise, the prior stays, a resumed run ends where an uninterrupted one does."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cantilena.errors import RunError, UsageError
from cantilena.models import Bundle, Network, NetworkOptions
from cantilena.rl import (
    LEARNERS,
    MusicReward,
    ReferenceLearner,
    Replay,
    TuningOptions,
    ValueOptions,
    WatchOptions,
    music_reward,
    next_c,
    sample_melodies,
    tune,
)
from cantilena.tokenizers import EventsEncoding, GridEncoding

SMALL = NetworkOptions(width=24, embedding=16)


def _bundle(encoding: GridEncoding | EventsEncoding | None = None) -> Bundle:
    encoding = encoding or GridEncoding()
    network = Network(SMALL, len(encoding.vocabulary), seed=3)
    return Bundle(SMALL, network.numpy_weights(), encoding.description())


def _options(algorithm: str, updates: int = 30) -> TuningOptions:
    return TuningOptions(
        algorithm=algorithm,
        updates=updates,
        melodies=48,
        steps=16,
        learning_rate=0.01,
        value=ValueOptions(replay=256, exploration_share=0.3),
        watch=WatchOptions(look=0),
        device="cpu",
    )


@pytest.mark.parametrize(("algorithm", "rules", "gain"), [("rloo", "rl-tuner", 5.0), ("q", "paper", 2.0)])
def test_reward_rises_and_the_prior_stays(algorithm: str, rules: str, gain: float) -> None:
    bundle = _bundle()
    tuned = tune(bundle, replace(_options(algorithm, updates=60), rules=rules))
    totals = np.sum(list(tuned.history.terms.values()), axis=0)
    assert totals[-10:].mean() > totals[:10].mean() + gain
    for name, weight in bundle.weights.items():
        np.testing.assert_array_equal(tuned.bundle.prior_weights[name], weight)
    assert any(not np.array_equal(tuned.bundle.weights[name], weight) for name, weight in bundle.weights.items())
    assert tuned.bundle.policy == {"rloo": "likelihood", "q": "softmax-q"}[algorithm]
    assert tuned.steps == 60 * 48 * 16


@pytest.mark.parametrize("algorithm", ["rloo", "q"])
def test_the_events_encoding_is_tuned_too(algorithm: str) -> None:
    encoding = EventsEncoding(("C4", "D4", "E4", "F#4", "0.4.7", "2.6.9"))
    tuned = tune(_bundle(encoding), replace(_options(algorithm, updates=40), rules="paper"))
    key = np.array(tuned.history.terms["key"])
    assert key[-5:].mean() > key[:5].mean()  # F# and the chord on D leave C major


@pytest.mark.parametrize(
    "asked",
    [
        {"algorithm": "rloo"},
        {"algorithm": "ppo"},
        {"algorithm": "q", "value": ValueOptions(replay=256, priority=0.6)},
        {"algorithm": "double-q"},
        {"algorithm": "psi"},
        {"algorithm": "g", "target_kl": 0.05},
        {"algorithm": "rejection"},
        {"algorithm": "g", "reference_mode": True, "melodies": 10},
        {"algorithm": "rloo", "melodies": 64, "watch": WatchOptions(look=3, watched=32)},
    ],
    ids=lambda asked: "-".join(map(str, asked.values()))[:40],
)
def test_a_resumed_run_is_the_uninterrupted_one(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cantilena.rl.tuning._CHECKPOINT_EVERY", 0.0)
    options = replace(_options("rloo", updates=8), **asked)
    whole = tune(_bundle(), options)

    class InterruptedHereError(Exception):
        pass

    learner = ReferenceLearner if options.reference_mode else LEARNERS[options.algorithm]
    plain = learner.update  # type: ignore[union-attr]
    calls = []

    def stop_at_the_sixth(self: object, progress: float) -> object:
        calls.append(progress)
        if len(calls) == 6:
            raise InterruptedHereError
        return plain(self, progress)

    monkeypatch.setattr(learner, "update", stop_at_the_sixth)
    with pytest.raises(InterruptedHereError):
        tune(_bundle(), options, folder=tmp_path)
    monkeypatch.setattr(learner, "update", plain)
    resumed = tune(_bundle(), options, folder=tmp_path, resume=True)
    for name, weight in whole.bundle.weights.items():
        np.testing.assert_array_equal(resumed.bundle.weights[name], weight)
    assert resumed.history.terms == whole.history.terms
    assert resumed.checks == whole.checks
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 8


def test_a_damaged_checkpoint_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not tensors")
    with pytest.raises(RunError, match="damaged"):
        tune(_bundle(), _options("rloo", 2), folder=tmp_path, resume=True)


def test_rewards_are_clipped_for_the_learner_and_whole_in_the_terms() -> None:
    reward = music_reward(_bundle(), TuningOptions(c=2.0, clip=10.0))
    assert isinstance(reward, MusicReward)
    terms = reward.terms(np.full((1, 32), 0))
    assert terms["repetition"].min() == -100.0
    clipped = {name: np.clip(term, -10, 10) for name, term in terms.items()}
    np.testing.assert_allclose(reward.learned(terms), sum(clipped.values()) / 2.0, rtol=1e-6)


def test_unknown_rules_and_weights_are_refused() -> None:
    with pytest.raises(UsageError, match="no rule set"):
        music_reward(_bundle(), TuningOptions(rules="jazz"))
    with pytest.raises(UsageError, match="no rule 'swing'"):
        music_reward(_bundle(), TuningOptions(weights=("swing=2",)))
    with pytest.raises(UsageError, match="weight 'swing'"):
        TuningOptions(weights=("swing",))


def test_samples_follow_the_model() -> None:
    network = Network(SMALL, 38, seed=3)
    tokens = sample_melodies(network, 4000, 1, torch.Generator().manual_seed(1))
    shares = np.bincount(tokens[:, 0].numpy(), minlength=38) / 4000
    expected = network.start(1)[0][0].exp().numpy()
    np.testing.assert_allclose(shares, expected, atol=4 * np.sqrt(0.25 / 4000) + 0.005)
    everywhere = sample_melodies(network, 4000, 1, torch.Generator().manual_seed(1), epsilon=1.0)
    assert np.bincount(everywhere[:, 0].numpy(), minlength=38).min() > 60


def test_the_replay_memory_forgets_the_oldest() -> None:
    memory = Replay(capacity=4, steps=1)
    for first in range(0, 6, 2):
        music = torch.full((2, 1), float(first))
        memory.add(torch.tensor([[first], [first + 1]]), -music, music)
    assert sorted(memory.tokens[:, 0].tolist()) == [2, 3, 4, 5]
    twin = copy.deepcopy(memory)
    memory.restore(twin.state())
    drawn = memory.draw(64, torch.Generator().manual_seed(1))
    assert set(drawn.tokens[:, 0].tolist()) == {2, 3, 4, 5}
    assert set(drawn.music[:, 0].tolist()) == {2.0, 4.0}
    assert torch.equal(drawn.log_p, -drawn.music)
    assert drawn.weight.tolist() == [1.0] * 64


def test_melodies_with_a_large_error_are_drawn_oftener_and_count_less() -> None:
    memory = Replay(capacity=4, steps=1, priority=1.0)
    tokens = torch.arange(4)[:, None]
    memory.add(tokens, torch.zeros(4, 1), torch.zeros(4, 1))
    memory.reprioritise(torch.arange(4), torch.tensor([1.0, 1.0, 2.0, 4.0]))
    drawn = memory.draw(8000, torch.Generator().manual_seed(1))
    shares = torch.bincount(drawn.tokens[:, 0], minlength=4) / 8000
    np.testing.assert_allclose(shares.numpy(), [1 / 8, 1 / 8, 1 / 4, 1 / 2], atol=0.02)
    weight = {int(token): float(w) for token, w in zip(drawn.tokens[:, 0], drawn.weight, strict=True)}
    assert [round(weight[token], 4) for token in range(4)] == [1.0, 1.0, 0.5, 0.25]  # shares x weights are even


def test_c_rises_while_the_target_is_passed_and_falls_back() -> None:
    options = TuningOptions(c=2.0, target_kl=0.4)
    risen = next_c(2.0, 0.8, options)
    assert risen == pytest.approx(2.04)
    assert next_c(risen, 0.44, options) == pytest.approx(2.04 * 1.01)
    assert next_c(risen, 0.1, options) == 2.0
    assert next_c(2.0, 9.0, replace(options, target_kl=None)) == 2.0


def test_a_target_keeps_the_model_near_what_it_learned() -> None:
    free = tune(_bundle(), replace(_options("rloo", updates=60), c=0.5))
    held = tune(_bundle(), replace(_options("rloo", updates=60), c=0.5, target_kl=0.1))
    assert np.mean(held.history.kl[-10:]) < np.mean(free.history.kl[-10:])
    assert held.history.c[0] == 0.5
    assert held.history.c[-1] > 0.5


def test_telling_how_far_a_tuning_has_come_changes_nothing() -> None:
    bundle = _bundle()
    options = replace(_options("rloo", updates=6), watch=WatchOptions(look=3, watched=16))
    classifier_score: list[tuple[int, float, int]] = []
    quiet = tune(bundle, options)
    heard = tune(
        bundle,
        options,
        after_update=lambda course: classifier_score.append((course.updates, course.history.kl[-1], len(course.checks))),
    )
    assert [updates for updates, _, _ in classifier_score] == [1, 2, 3, 4, 5, 6]
    assert [checks for _, _, checks in classifier_score] == [0, 0, 1, 1, 1, 2]
    assert [kl for _, kl, _ in classifier_score] == quiet.history.kl == heard.history.kl
    for name, weight in quiet.bundle.weights.items():
        np.testing.assert_array_equal(heard.bundle.weights[name], weight)
