"""Replay buffers: the oldest rows are replaced, priorities determine sampling, checkpoints restore them."""

from __future__ import annotations

import copy

import numpy as np
import torch

from cantilena.rl import ReplayBuffer


def test_the_oldest_melodies_are_replaced() -> None:
    buffer = ReplayBuffer(capacity=4, steps=1)
    for first in range(0, 6, 2):
        music = torch.full((2, 1), float(first))
        buffer.add(torch.tensor([[first], [first + 1]]), -music, music)
    assert sorted(buffer.tensors["tokens"][:, 0].tolist()) == [2, 3, 4, 5]
    twin = copy.deepcopy(buffer)
    buffer.restore(twin.state())
    drawn = buffer.sample(64, torch.Generator().manual_seed(1))
    assert set(drawn.tokens[:, 0].tolist()) == {2, 3, 4, 5}
    assert set(drawn.music[:, 0].tolist()) == {2.0, 4.0}
    assert torch.equal(drawn.log_p, -drawn.music)
    assert drawn.weight.tolist() == [1.0] * 64


def test_longer_melodies_make_the_buffer_wider() -> None:
    buffer = ReplayBuffer(capacity=4, steps=1)
    for width in (2, 3, 1):
        buffer.add(*(torch.full((1, width), float(width)) for _ in range(3)))
    assert buffer.tensors["tokens"].tolist() == [[2, 2, 0], [3, 3, 3], [1, 0, 0], [0, 0, 0]]
    assert buffer.tensors["music"].shape == buffer.tensors["log_p"].shape == (4, 3)
    other = ReplayBuffer(capacity=4, steps=1)
    other.restore(buffer.state())
    assert torch.equal(other.tensors["tokens"], buffer.tensors["tokens"])


def test_melodies_with_a_large_error_are_sampled_more_often_and_weigh_less() -> None:
    buffer = ReplayBuffer(capacity=4, steps=1, priority=1.0)
    tokens = torch.arange(4)[:, None]
    buffer.add(tokens, torch.zeros(4, 1), torch.zeros(4, 1))
    buffer.set_priority(torch.arange(4), torch.tensor([1.0, 1.0, 2.0, 4.0]))
    drawn = buffer.sample(8000, torch.Generator().manual_seed(1))
    shares = torch.bincount(drawn.tokens[:, 0], minlength=4) / 8000
    np.testing.assert_allclose(shares.numpy(), [1 / 8, 1 / 8, 1 / 4, 1 / 2], atol=0.02)
    weight = {int(token): float(w) for token, w in zip(drawn.tokens[:, 0], drawn.weight, strict=True)}
    assert [round(weight[token], 4) for token in range(4)] == [1.0, 1.0, 0.5, 0.25]  # shares x weights are equal


def test_a_buffer_is_restored_as_it_was_filled() -> None:
    buffer, other = ReplayBuffer(capacity=4, steps=2, priority=0.5), ReplayBuffer(capacity=4, steps=2, priority=0.5)
    for first in (1, 4):
        buffer.add(torch.arange(first, first + 3)[:, None].expand(3, 2), torch.zeros(3, 2), torch.ones(3, 2))
        buffer.set_priority(torch.arange(2), torch.tensor([2.0, 3.0]))
        other.restore(buffer.state())
        assert (len(other), other.added) == (len(buffer), buffer.added)
        for name, tensor in buffer.state().items():
            assert torch.equal(other.state()[name], tensor), name
    one, two = (some.sample(32, torch.Generator().manual_seed(1)) for some in (buffer, other))
    assert torch.equal(one.tokens, two.tokens)
    assert torch.equal(one.weight, two.weight)
