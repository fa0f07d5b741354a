"""Batches: every piece once an epoch, random transposition, dropped conditions."""

import numpy as np

from cantilena.models import Bars, Sequences
from cantilena.music import Key, Melody, Meter
from cantilena.tokenizers import EventsEncoding, GridEncoding
from cantilena.training import transpositions
from cantilena.training.batches import Batches

RNG = np.random.default_rng(0)
PIECES = Sequences.from_tokens([RNG.integers(0, 38, length) for length in RNG.integers(1, 90, 150)])


def test_each_epoch_has_every_piece_once_in_another_order():
    batches = Batches(PIECES, batch=4, seed=1)
    first, second = batches.epoch(0), batches.epoch(1)
    assert len(first) == batches.batches_per_epoch == 38
    for epoch in (first, second):
        assert sorted(np.concatenate(epoch).tolist()) == list(range(150))
    assert [rows.tolist() for rows in first] != [rows.tolist() for rows in second]
    again = Batches(PIECES, batch=4, seed=1).epoch(1)
    assert [rows.tolist() for rows in second] == [rows.tolist() for rows in again]


def test_pieces_of_a_batch_have_similar_lengths():
    padded = sum(len(rows) * PIECES.lengths[rows].max() for rows in Batches(PIECES, batch=4, seed=1).epoch(0))
    assert padded < 1.15 * PIECES.steps


def test_grid_transpositions_change_only_pitches():
    table = transpositions(GridEncoding(), 3)
    assert table.shape == (7, 38)
    for shift in range(-3, 4):
        for token in range(38):
            shifted = token + shift if token >= 2 else token
            assert table[shift + 3, token] == (shifted if token < 2 or 2 <= shifted < 38 else -1)


def test_event_transpositions_change_notes_and_chords():
    tune = Melody.from_pitches([(60, 24), ((64, 67, 72), 24), (62, 12), ((66, 69, 74), 12)])
    events = EventsEncoding.learned_from([tune])
    index = {name: token for token, name in enumerate(events.vocabulary)}
    table = transpositions(events, 2)
    assert table[4, index["C4"]] == index["D4"]
    assert table[4, index["0.4.7"]] == index["2.6.9"]
    assert table[4, index["D4"]] == -1
    np.testing.assert_array_equal(table[2], np.arange(len(events.vocabulary)))


def test_pieces_are_transposed_only_as_far_as_the_encoding_allows():
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


def test_conditions_are_transposed_with_the_piece_and_sometimes_dropped():
    bars = Bars.from_meter(
        Meter(6, 8), melodies=2, ticks_per_step=6, key=Key.parse("C major"), style=3, role="lead", register=5
    )
    pieces = Sequences.from_tokens([[14, 1, 16, 18], [20, 1, 1, 0]], bars)
    batches = Batches(pieces, batch=2, seed=1, transpositions=transpositions(GridEncoding(), 3), condition_dropout=0.3)
    dropped = np.zeros(6)
    for epoch in range(400):
        rows, _, condition_ids = batches.tokens(np.array([1, 0]), epoch)
        for row, first, (key, *others, register) in zip(rows, (20, 14), condition_ids.condition_ids, strict=True):
            assert key in (0, 1 + (row[0] - first) % 12)
            assert tuple(others) == tuple(np.where(others, bars.condition_ids[0, 1:5], 0))
            assert register in (0, 4, 5, 6)
        dropped += (condition_ids.condition_ids == 0).mean(axis=0) / 400
    np.testing.assert_allclose(dropped, 1 - 0.7**2, atol=0.05)
    again = batches.tokens(np.array([0]), 7)[2].condition_ids, batches.tokens(np.array([1, 0]), 7)[2].condition_ids[1:]
    np.testing.assert_array_equal(*again)  # independent of the batch
