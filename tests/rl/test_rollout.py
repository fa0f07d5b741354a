"""Sampling of melodies of notes: all are equally long, and only tokens are drawn that may come next."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cantilena.models import Network, NetworkOptions
from cantilena.rl import MusicReward, sample_melodies
from cantilena.rl.reward import most_tokens
from cantilena.rl.rollout import entropy, gather_tokens, kl_divergence, per_step
from cantilena.rules import RULE_SETS, Context
from cantilena.tokenizers import END, NotesEncoding

STEPS = 16


def network(encoding: NotesEncoding, seed: int = 3) -> Network:
    pitches = encoding.high - encoding.low + 1
    shape = NetworkOptions(width=16, embedding=12, durations=encoding.durations, pitches=pitches)
    return Network(shape, len(encoding.vocabulary), seed=seed)


@pytest.mark.parametrize(
    "encoding", [NotesEncoding(), NotesEncoding(chords=((), (5,), (4, 9)))], ids=["notes", "chords"]
)
@pytest.mark.parametrize("changes", [{}, {"epsilon": 1.0}, {"epsilon": 0.5}, {"temperature": 1000.0}], ids=str)
def test_all_melodies_are_as_long_as_told(encoding: NotesEncoding, changes: dict[str, float]) -> None:
    bars = MusicReward(encoding, RULE_SETS["paper"], Context(), 1.0, 10.0).bars(12, STEPS)
    most, rng = most_tokens(encoding, STEPS), torch.Generator().manual_seed(1)
    tokens = sample_melodies(network(encoding), 12, most, rng, bars=bars, end=END, **changes)
    assert tokens.shape[1] < most
    assert (tokens[:, -1] != END).any()
    assert [encoding.decode(row).length for row in tokens.numpy()] == [STEPS * 6] * 12  # and each token is of its part
    assert encoding.line(tokens.numpy()).length.tolist() == [STEPS] * 12


def test_exploration_draws_all_tokens_that_may_come() -> None:
    encoding = NotesEncoding()
    bars = MusicReward(encoding, RULE_SETS["paper"], Context(), 1.0, 10.0).bars(4000, STEPS)
    rng = torch.Generator().manual_seed(1)
    tokens = sample_melodies(network(encoding), 4000, 2, rng, bars=bars, end=END, epsilon=1.0).numpy()
    durations, pitches = np.bincount(tokens[:, 0], minlength=17)[1:], np.bincount(tokens[:, 1], minlength=54)[17:]
    assert durations.min() > 4000 / 16 - 5 * 16
    assert pitches.min() > 4000 / 37 - 5 * 10


def test_padding_adds_nothing() -> None:
    encoding = NotesEncoding()
    policy, prior = network(encoding), network(encoding, seed=4)
    bars = MusicReward(encoding, RULE_SETS["paper"], Context(), 1.0, 10.0).bars(30, STEPS)
    rng = torch.Generator().manual_seed(1)
    tokens = sample_melodies(policy, 30, most_tokens(encoding, STEPS), rng, bars=bars, end=END)
    padding = tokens == END
    assert padding.any()
    log_policy, log_prior = (model.log_probs(tokens, bars=bars) for model in (policy, prior))
    values = gather_tokens(log_policy, tokens), kl_divergence(log_policy, log_prior), entropy(log_policy)
    for value in values:
        assert torch.isfinite(value).all()
        assert not value[padding].any()
    sum(value.sum() for value in values).backward()  # type: ignore[union-attr]
    assert all(torch.isfinite(weight.grad).all() for weight in policy.parameters())  # type: ignore[arg-type]
    wider = torch.nn.functional.pad(values[1], (0, 7))
    torch.testing.assert_close(per_step(wider, STEPS), values[1].sum(1).mean() / STEPS)
