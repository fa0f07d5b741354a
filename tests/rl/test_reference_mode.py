"""The reference mode: its schedule, its transitions, and the published gradient into the reward network."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from cantilena.errors import UsageError
from cantilena.models import Bars, Bundle, Network, NetworkOptions
from cantilena.rl import MusicReward, ReferenceLearner, TuningOptions, TuningTask, WatchOptions, tune
from cantilena.rl.algorithms.reference_mode import Transitions
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding()
SMALL = NetworkOptions(width=12, embedding=12, bar_position=False, look_back=())


def learner(algorithm: str, *, stop_gradient: bool = True, core: str = "lstm", melodies: int = 10) -> ReferenceLearner:
    options = TuningOptions(
        algorithm=algorithm,  # type: ignore[arg-type]
        reference_mode=True,
        updates=4,
        melodies=melodies,
        steps=8,
        device="cpu",
        watch=WatchOptions(look=0),
    )
    network = Network(NetworkOptions(**{**vars_of(SMALL), "core": core}), 38, seed=3)
    reward = MusicReward(GRID, RULE_SETS["rl-tuner"], Context(), options.c_for(), options.clip)
    prior = copy.deepcopy(network).requires_grad_(False)
    task = TuningTask(network, prior, reward, options, Bars.common_time(1), torch.Generator().manual_seed(2))
    return ReferenceLearner(task, stop_gradient=stop_gradient)


def vars_of(options: NetworkOptions) -> dict[str, object]:
    return {name: getattr(options, name) for name in options.__dataclass_fields__}


@pytest.mark.parametrize("core", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("algorithm", ["q", "psi", "g"])
def test_transitions_hold_what_was_sampled(algorithm: str, core: str) -> None:
    one = learner(algorithm, core=core, melodies=5)
    one._learn = lambda: 0.0  # type: ignore[method-assign]
    one.update(0.0)
    kept = Transitions(**one.transitions.tensors)
    assert len(one.transitions) == 5 * 8
    # Rows of one melody lie five apart; the state after a step is that before the next.
    torch.testing.assert_close(kept.next_state[:35], kept.state[5:40])
    assert torch.equal(kept.next_rows[:35], kept.rows[5:40])
    tokens = kept.action[:40].view(8, 5).t()
    torch.testing.assert_close(kept.next_rows[:40].view(8, 5, -1)[:, :, 0].t(), tokens)
    music = sum(one.reward.terms(tokens.numpy()).values()) / 0.5
    if algorithm != "g":
        log_p = one.prior.log_probs(tokens.numpy()).gather(-1, tokens[..., None])[..., 0].numpy()
        music = music + log_p
    np.testing.assert_allclose(kept.reward[:40].view(8, 5).t(), music, atol=1e-4)


@pytest.mark.parametrize(("stop_gradient", "moves"), [(True, False), (False, True)])
def test_the_reward_network_changes_only_without_stop_gradient(stop_gradient: bool, moves: bool) -> None:
    one = learner("g", stop_gradient=stop_gradient)
    before = one.reward_network.head.weight.detach().clone()
    for number in range(4):
        one.update(number / 4)
    assert (not torch.equal(one.reward_network.head.weight, before)) == moves
    assert torch.equal(one.prior.head.weight, before)  # type: ignore[attr-defined]


def test_there_is_an_update_every_fifth_step() -> None:
    one = learner("q", melodies=20)
    calls = []
    one._learn = lambda: calls.append(1) or 0.0  # type: ignore[func-returns-value, method-assign]
    one.update(0.0)
    assert len(calls) == 20 * 8 / 5 - 4  # after the first step of the twenty melodies there are too few transitions


@pytest.mark.e2e
def test_rewards_rise() -> None:
    network = Network(SMALL, 38, seed=3)
    bundle = Bundle(SMALL, network.numpy_weights(), GRID.description())
    options = TuningOptions(
        algorithm="psi",
        reference_mode=True,
        updates=5,
        melodies=40,
        steps=8,
        device="cpu",
        learning_rate=0.01,
        watch=WatchOptions(look=0),
    )
    history = tune(bundle, options).history
    key = history.terms["key"]
    assert np.mean(key[-2:]) > np.mean(key[:2]) + 0.5
    assert set(history.c) == {0.5}


def test_other_algorithms_and_networks_are_refused() -> None:
    with pytest.raises(UsageError, match="the reference mode has no rloo"):
        TuningOptions(algorithm="rloo", reference_mode=True)
