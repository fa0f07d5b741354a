"""Objectives: every step is predicted once, in one process or several; the paper's windows."""

import numpy as np
import pytest
import torch

from cantilena.models import Network, NetworkOptions, Sequences, log_softmax, to_numpy
from cantilena.training import ProcessGroup
from cantilena.training.objectives import BatchPosition, LastStepPrediction, TeacherForcing

RNG = np.random.default_rng(0)
PIECES = Sequences.from_tokens([RNG.integers(0, 38, length) for length in RNG.integers(1, 90, 150)])
SHAPE = NetworkOptions(width=8, embedding=8, dropout=0.0)
WINDOWED = NetworkOptions(input="paper", window=5, width=8, dropout=0.0)


def losses(objective, network, batch):
    return list(objective.losses(network, batch, BatchPosition(), lambda: torch.autocast("cpu", enabled=False)))


@pytest.mark.parametrize("steps", [8, 17, 1000])
def test_every_step_is_predicted_once_whatever_the_parts(steps):
    objective, network = TeacherForcing(steps, PIECES, 4, 1), Network(SHAPE, 38)
    batch = objective.epoch(0)[3]
    parts = losses(objective, network, batch)
    assert sum(count for _, count in parts) == PIECES.lengths[batch].sum()
    nats = sum(float(loss.detach()) * count for loss, count in parts)
    tokens = PIECES.padded(batch)
    log_p = to_numpy(network.log_probs(tokens, bars=PIECES.bars[batch]))
    expected = -sum(
        log_p[row, step, tokens[row, step]] for row, piece in enumerate(batch) for step in range(PIECES.lengths[piece])
    )
    assert nats == pytest.approx(expected, rel=1e-4)


def test_windows_predict_every_step_once_and_never_span_two_pieces():
    pieces = Sequences.from_tokens([[1, 2, 3], [4, 5]])
    objective = LastStepPrediction(pieces, window=2, batch=2, seed=1, vocabulary_size=9)
    assert objective.batches_per_epoch == 3
    numbers = np.concatenate(objective.epoch(0))
    assert sorted(numbers.tolist()) == [0, 1, 2, 3, 4]
    inputs, targets = objective.windows(np.arange(5))
    assert inputs.tolist() == [[9, 9], [9, 1], [1, 2], [9, 9], [9, 4]]
    assert targets.tolist() == [1, 2, 3, 4, 5]


def test_the_loss_of_windows_is_the_cross_entropy_of_the_last_step():
    network = Network(WINDOWED, 38)
    objective = LastStepPrediction(PIECES, window=5, batch=7, seed=1, vocabulary_size=38)
    inputs, targets = objective.windows(np.arange(7))
    [(loss, count)] = losses(objective, network, np.arange(7))
    # By hand: the window as numbers from 0 to 1 through torch's cells, the head on the last hidden state.
    hidden, _ = network.core(torch.from_numpy(inputs / 38.0).float().unsqueeze(-1))
    log_p = log_softmax(to_numpy(network.head(hidden[:, -1])))
    assert count == 7
    assert float(loss.detach()) == pytest.approx(-log_p[np.arange(7), targets].mean(), rel=1e-5)


@pytest.mark.parametrize("world_size", [2, 3, 8])
def test_shards_sum_to_the_batch_part_by_part(world_size):
    pieces = Sequences.from_tokens([np.arange(length) % 38 for length in (90, 40, 33, 32, 17, 1, 1)])
    network = Network(SHAPE, 38, seed=1)

    def parts(rank, world_size):
        processes = ProcessGroup(rank=rank, world_size=world_size)
        return losses(TeacherForcing(16, pieces, 7, 1, processes=processes), network, np.arange(7))

    def gradient(parts):
        network.zero_grad()
        for loss, _ in parts:
            if loss.requires_grad:
                loss.backward()
        return torch.cat([weight.grad.flatten() for weight in network.parameters()])

    whole, shards = parts(0, 1), [parts(rank, world_size) for rank in range(world_size)]
    assert [count for _, count in whole] == [16 * 5 + 2, 16 * 4 + 1, 16 + 8 + 1, 16, 16, 10]
    for shard in shards:
        assert [count for _, count in shard] == [count for _, count in whole]
    for number, (loss, _) in enumerate(whole):
        total = sum(float(shard[number][0].detach()) for shard in shards)
        assert total == pytest.approx(float(loss.detach()), abs=1e-6)
    last = [shard[-1][0].requires_grad for shard in shards]
    assert last == [True] + [False] * (world_size - 1)  # only the longest piece continues to the end
    total = sum(gradient(parts(rank, world_size)) for rank in range(min(world_size, 7)))
    torch.testing.assert_close(total, gradient(parts(0, 1)), atol=1e-6, rtol=1e-5)


def test_windows_are_sharded_and_a_process_without_any_still_yields():
    pieces, network = Sequences.from_tokens([[1, 2, 3]]), Network(WINDOWED, 38)
    parts = []
    for rank in range(4):
        objective = LastStepPrediction(pieces, 5, 8, 1, 38, ProcessGroup(rank=rank, world_size=4))
        parts += losses(objective, network, objective.epoch(0)[0])
    assert [count for _, count in parts] == [3] * 4
    assert [loss.requires_grad for loss, _ in parts] == [True, True, True, False]
