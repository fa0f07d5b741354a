"""Batches, keys and windows: every step is learned once an epoch, and the seed decides the rest."""

import numpy as np
import pytest
import torch

from cantilena.models import Bars, Network, NetworkOptions, Sequences, log_softmax, to_numpy
from cantilena.music import Key, Melody, Meter
from cantilena.tokenizers import EventsEncoding, GridEncoding
from cantilena.training import transpositions
from cantilena.training.batches import Batches
from cantilena.training.objectives import EveryStep, LastStep, Place

RNG = np.random.default_rng(0)
PIECES = Sequences.from_tokens([RNG.integers(0, 38, length) for length in RNG.integers(1, 90, 150)])


def plainly():
    return torch.autocast("cpu", enabled=False)


def test_each_epoch_holds_every_piece_once_in_another_order():
    batches = Batches(PIECES, batch=4, seed=1)
    first, second = batches.epoch(0), batches.epoch(1)
    assert len(first) == batches.each_epoch == 38
    for epoch in (first, second):
        assert sorted(np.concatenate(epoch).tolist()) == list(range(150))
    assert [chosen.tolist() for chosen in first] != [chosen.tolist() for chosen in second]
    again = Batches(PIECES, batch=4, seed=1).epoch(1)
    assert [chosen.tolist() for chosen in second] == [chosen.tolist() for chosen in again]


def test_pieces_of_a_batch_are_about_equally_long():
    padded = sum(len(chosen) * PIECES.lengths[chosen].max() for chosen in Batches(PIECES, batch=4, seed=1).epoch(0))
    assert padded < 1.15 * PIECES.steps


@pytest.mark.parametrize("steps", [8, 17, 1000])
def test_every_step_is_predicted_once_whatever_the_parts(steps):
    lesson, network = EveryStep(steps, PIECES, 4, 1), Network(NetworkOptions(width=8, embedding=8, dropout=0.0), 38)
    batch = lesson.epoch(0)[3]
    parts = list(lesson.losses(network, batch, Place(), plainly))
    assert sum(count for _, count in parts) == PIECES.lengths[batch].sum()
    nats = sum(float(loss.detach()) * count for loss, count in parts)
    tokens = PIECES.padded(batch)
    log_p = to_numpy(network.log_probs(tokens, bars=PIECES.bars[batch]))
    expected = -sum(
        log_p[row, step, tokens[row, step]] for row, piece in enumerate(batch) for step in range(PIECES.lengths[piece])
    )
    assert nats == pytest.approx(expected, rel=1e-4)


def test_grid_transpositions_move_pitches_alone():
    table = transpositions(GridEncoding(), 3)
    assert table.shape == (7, 38)
    for shift in range(-3, 4):
        for token in range(38):
            moved = token + shift if token >= 2 else token
            assert table[shift + 3, token] == (moved if token < 2 or 2 <= moved < 38 else -1)


def test_event_transpositions_move_notes_and_chords():
    tune = Melody.from_pitches([(60, 24), ((64, 67, 72), 24), (62, 12), ((66, 69, 74), 12)])
    events = EventsEncoding.learned_from([tune])
    index = {name: token for token, name in enumerate(events.vocabulary)}
    table = transpositions(events, 2)
    assert table[4, index["C4"]] == index["D4"]
    assert table[4, index["0.4.7"]] == index["2.6.9"]
    assert table[4, index["D4"]] == -1
    np.testing.assert_array_equal(table[2], np.arange(len(events.vocabulary)))


def test_pieces_are_learned_in_keys_that_the_encoding_can_say():
    low, high = [2, 1, 14, 0], [37, 1, 1, 25]
    pieces = Sequences.from_tokens([low, high, [0, 1, 0, 1]], Bars(np.array([16, 12, 16]), np.array([0, 4, 0])))
    batches = Batches(pieces, batch=3, seed=1, transpositions=transpositions(GridEncoding(), 3))
    seen = {0: set(), 1: set(), 2: set()}
    for epoch in range(40):
        rows, lengths, bars = batches.tokens(np.array([0, 1, 2]), epoch)
        assert lengths.tolist() == [4, 4, 4]
        assert bars.steps_per_bar.tolist() == [16, 12, 16]
        for piece, row in enumerate(rows):
            seen[piece].add(tuple(row.tolist()))
    assert seen[0] == {(2 + shift, 1, 14 + shift, 0) for shift in range(4)}
    assert seen[1] == {(37 - shift, 1, 1, 25 - shift) for shift in range(4)}
    assert seen[2] == {(0, 1, 0, 1)}


def test_a_key_that_is_told_moves_with_the_piece_and_is_sometimes_left_out():
    bars = Bars.from_meter(Meter(6, 8), melodies=2, ticks_per_step=6, key=Key.parse("C major"), style=3)
    pieces = Sequences.from_tokens([[14, 1, 16, 18], [20, 1, 1, 0]], bars)
    batches = Batches(pieces, batch=2, seed=1, transpositions=transpositions(GridEncoding(), 3), forget=0.3)
    untold = np.zeros(4)
    for epoch in range(400):
        rows, _, condition_ids = batches.tokens(np.array([1, 0]), epoch)
        for row, first, (key, mode, meter, style) in zip(rows, (20, 14), condition_ids.condition_ids, strict=True):
            assert key in (0, 1 + (row[0] - first) % 12)
            assert (mode, meter, style) == tuple(np.where([mode, meter, style], bars.condition_ids[0, 1:], 0))
        untold += (condition_ids.condition_ids == 0).mean(axis=0) / 400
    np.testing.assert_allclose(untold, 1 - 0.7**2, atol=0.05)
    again = batches.tokens(np.array([0]), 7)[2].condition_ids, batches.tokens(np.array([1, 0]), 7)[2].condition_ids[1:]
    np.testing.assert_array_equal(*again)  # what is left out does not hang on the batch


def test_the_papers_windows_predict_every_step_once_and_never_look_across_pieces():
    pieces = Sequences.from_tokens([[1, 2, 3], [4, 5]])
    lesson = LastStep(pieces, window=2, batch=2, seed=1, vocabulary_size=9)
    assert lesson.each_epoch == 3
    numbers = np.concatenate(lesson.epoch(0))
    assert sorted(numbers.tolist()) == [0, 1, 2, 3, 4]
    seen, following = lesson.windows(np.arange(5))
    assert seen.tolist() == [[9, 9], [9, 1], [1, 2], [9, 9], [9, 4]]
    assert following.tolist() == [1, 2, 3, 4, 5]


def test_the_papers_loss_is_the_cross_entropy_of_the_last_step():
    network = Network(NetworkOptions(input="paper", window=5, width=8, dropout=0.0), 38)
    lesson = LastStep(PIECES, window=5, batch=7, seed=1, vocabulary_size=38)
    seen, following = lesson.windows(np.arange(7))
    [(loss, count)] = lesson.losses(network, np.arange(7), Place(), plainly)
    # By hand: the window as numbers from 0 to 1 through torch's cells, the head on the last hidden state.
    hidden, _ = network.core(torch.from_numpy(seen / 38.0).float().unsqueeze(-1))
    log_p = log_softmax(to_numpy(network.head(hidden[:, -1])))
    assert count == 7
    assert float(loss.detach()) == pytest.approx(-log_p[np.arange(7), following].mean(), rel=1e-5)
