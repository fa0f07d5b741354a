"""The numbers of results.json, against sums done by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.models import Bars, Network, NetworkOptions, log_probs_with_bars, to_numpy
from cantilena.music import Key, Melody, Meter
from cantilena.rules import Context
from cantilena.tokenizers import GridEncoding, NotesEncoding
from cantilena.workflows.data import encode_pieces, excerpts
from cantilena.workflows.evaluate.counts import Sample, measure

GRID = GridEncoding()
SHAPE = NetworkOptions(width=8, embedding=4)


def test_distances_are_means_over_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cantilena.workflows.evaluate.counts._CHUNK", 4)
    model, reference = (Network(SHAPE, 38, seed=seed).eval() for seed in (1, 2))
    tokens = np.random.default_rng(1).integers(0, 38, (10, 16))
    metrics = measure(Sample(tokens), GRID, np.random.default_rng(2), model=model, reference=reference)
    log_q, log_p = (
        np.asarray(to_numpy(log_probs_with_bars(one, tokens, Bars.common_time(10))), dtype=np.float64)
        for one in (model, reference)
    )
    likelihood = sum(log_p[row, step, tokens[row, step]] for row in range(10) for step in range(16)) / 160
    divergence = (
        sum(np.exp(q) @ (q - p) for q, p in zip(log_q.reshape(-1, 38), log_p.reshape(-1, 38), strict=True)) / 160
    )
    assert metrics["log_likelihood_per_step"]["value"] == pytest.approx(likelihood, abs=2e-6)
    assert metrics["kl_per_step"]["value"] == pytest.approx(divergence, abs=2e-6)
    low, value, high = (metrics["kl_per_step"][name] for name in ("low", "value", "high"))
    assert low <= value <= high


def test_people_are_judged_in_the_mode_of_their_piece() -> None:
    major = np.array([[14, 1, 16, 1, 18, 1, 14, 1]])  # C4 D4 E4 C4
    minor = np.array([[23, 1, 26, 1, 25, 1, 23, 1]])  # A4 C5 B4 A4
    reference = Network(SHAPE, 38, seed=1).eval()
    sample = Sample(np.concatenate([major, minor]), np.array([0, 1]), (Context(), Context(Key.parse("A minor"))))
    metrics = measure(sample, GRID, np.random.default_rng(2), model=None, reference=reference, matched_size=1)
    assert metrics["starts_on_tonic"]["value"] == metrics["ends_on_tonic"]["value"] == 1.0
    assert metrics["not_in_key"]["value"] == 0.0
    assert metrics["kl_per_step"]["value"] is None
    assert metrics["kl_per_step"]["reason"]
    assert metrics["different_melodies"]["melodies"] == 1
    in_c = measure(Sample(minor), GRID, np.random.default_rng(2), model=None, reference=reference)
    assert in_c["starts_on_tonic"]["value"] == 0.0


def test_excerpts_begin_at_the_first_barline_and_do_not_overlap() -> None:
    melody = Melody.from_pitches([(60, 24), *((pitch, 24) for pitch in range(60, 72))], pickup=24)
    pieces = encode_pieces(GRID, [melody, Melody.from_pitches([(60, 24)])])
    parts = excerpts(pieces, 16)
    assert parts.tokens.shape == (3, 16)
    assert parts.piece.tolist() == [0, 0, 0]
    np.testing.assert_array_equal(np.concatenate(parts.tokens), pieces.sequences.tokens[0][4:52])
    assert excerpts(pieces, 64).tokens.shape == (0, 64)


def test_excerpts_of_notes_are_equally_long() -> None:
    notes = NotesEncoding()
    melody = Melody.from_pitches([(60, 24), *((pitch, 30) for pitch in range(60, 72))], pickup=24)
    pieces = encode_pieces(notes, [melody, Melody.from_pitches([(60, 24)])])
    parts = excerpts(pieces, 16)
    assert parts.piece.tolist() == [0, 0, 0]
    assert [notes.decode(row).length for row in parts.tokens] == [96] * 3
    assert [note.onset for row in parts.tokens for note in notes.decode(row).sounding] == [
        (onset - 24) % 96 for onset in range(24, 312, 30)
    ]
    assert parts.contexts[0] == Context(steps_per_bar=16)
    assert excerpts(pieces, 64).tokens.shape == (0, 0)


def test_distances_of_notes_are_by_sixteenths() -> None:
    notes = NotesEncoding()
    shape = NetworkOptions(width=8, embedding=4, durations=notes.durations, pitches=36)
    model, reference = (Network(shape, len(notes.vocabulary), seed=seed).eval() for seed in (1, 2))
    tokens = np.array([[11, 29, 11, 31, 0, 0], [8, 29, 8, 31, 11, 33]])  # two quarters; two eighths and a quarter
    metrics = measure(Sample(tokens), notes, np.random.default_rng(2), model=model, reference=reference)
    bars = Bars.from_meter(Meter(), melodies=2, ticks_per_step=1, length=48)
    log_p = to_numpy(log_probs_with_bars(reference, tokens, bars))
    chosen = np.take_along_axis(log_p, tokens[..., None], axis=-1)[..., 0]
    assert not chosen[0, 4:].any()
    assert metrics["log_likelihood_per_step"]["value"] == pytest.approx(chosen.sum() / 16, abs=2e-6)
    assert 0 < metrics["kl_per_step"]["value"] < 1
