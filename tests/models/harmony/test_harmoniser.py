"""Harmonising: beats, the conditional random field against counting all sequences, options, files."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.errors import BundleError, UsageError
from cantilena.models.harmony.harmoniser import FEATURES, Beats, Harmoniser, _Chain, beat_ticks
from cantilena.music import Chord, Key, Melody, Meter

LABELS = tuple(map(Chord.parse, ("C", "F", "G7", "Am")))
TUNE = Melody.from_pitches([(60, 24), (64, 24), (67, 48), (65, 24), (62, 24), (60, 48)], key=Key())


def model(seed: int = 1, labels: tuple[Chord, ...] = LABELS) -> Harmoniser:
    rng = np.random.default_rng(seed)
    shapes = {"hidden.weight": (8, FEATURES), "hidden.bias": (8,), "scores.weight": (len(labels), 8)}
    shapes |= {"scores.bias": (len(labels),), "pairs": (len(labels), len(labels)), "change": (3,)}
    return Harmoniser(labels, {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), every=st.sampled_from(["beat", "half-bar", "bar"]))
def test_the_best_chords_and_their_likelihood_are_those_of_all_sequences(seed: int, every: Any) -> None:
    field = model(seed)
    beats = Beats.of_melody(TUNE.until(6 * 24), Key(), "lied")
    chain = _Chain.build(field.scores(beats), field, beats.classes, beats.may_change(every))
    paths = list(product(range(len(LABELS)), repeat=6))
    likelihoods = np.array([chain.log_likelihood(np.array(path)) for path in paths])
    assert np.exp(likelihoods).sum() == pytest.approx(1.0)
    assert tuple(chain.best()) == paths[int(likelihoods.argmax())]


def test_samples_have_the_probabilities_of_the_model() -> None:
    field = model(3)
    beats = Beats.of_melody(TUNE.until(2 * 24), Key(), "lied")
    chain = _Chain.build(field.scores(beats), field, beats.classes, beats.may_change("beat"))
    drawn = chain.sample(20_000, np.random.default_rng(1))
    for path in product(range(len(LABELS)), repeat=2):
        share = float((drawn == path).all(axis=1).mean())
        assert share == pytest.approx(np.exp(chain.log_likelihood(np.array(path))), abs=0.015)


@settings(max_examples=10, deadline=None)
@given(semitones=st.integers(-6, 6), seed=st.integers(0, 50))
def test_a_transposed_melody_has_the_transposed_chords(semitones: int, seed: int) -> None:
    field = model(seed)
    here, there = field.harmonise(TUNE)[0], field.harmonise(TUNE.transposed(semitones))[0]
    assert here.chords.transposed(semitones) == there.chords
    assert here.log_likelihood == pytest.approx(there.log_likelihood)


def test_chords_change_only_where_they_may() -> None:
    for seed in range(5):
        for every, ticks in (("half-bar", 48), ("bar", 96)):
            harmonies = model(seed).harmonise(TUNE, 4, every=every, rng=np.random.default_rng(2))
            assert all(tick % ticks == 0 for one in harmonies for tick, _ in one.chords)


def test_several_harmonies_differ_and_the_most_probable_comes_first() -> None:
    harmonies = model().harmonise(TUNE, 5, rng=np.random.default_rng(1))
    assert len({one.chords for one in harmonies}) == 5
    likelihoods = [one.log_likelihood for one in harmonies]
    assert likelihoods == sorted(likelihoods, reverse=True)
    assert model().harmonise(TUNE, 1)[0] == harmonies[0]


@pytest.mark.parametrize("name", ["4/4", "2/2", "3/4", "6/8", "9/8", "3/8", "5/8", "2/4", "3/2", "7/8"])
def test_every_beat_belongs_to_a_bar_whatever_the_pickup(name: str) -> None:
    meter = Meter.parse(name)
    for pickup in (0, 12, meter.ticks_per_bar - 12):
        melody = Melody.from_pitches([(60 + k % 5, 12) for k in range(40)], meter=meter, pickup=pickup)
        beats = Beats.of_melody(melody, Key(), "chorale")
        starts = beats.ticks[:-1]
        assert beats.ticks[-1] == melody.length
        assert (np.diff(beats.ticks) > 0).all()
        assert {int(t) for t in starts[beats.classes == 0]} >= {t for t in melody.bar_starts() if t >= pickup}
        assert beats.features.shape == (len(starts), FEATURES)
        assert set(np.diff(starts[1:]).tolist()) <= {beat_ticks(meter)}


def test_files_are_read_as_they_were_written_and_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "harmony.safetensors"
    model().save(path)
    again = Harmoniser.load(path)
    assert again.labels == LABELS
    np.testing.assert_allclose(again.weights["pairs"], model().weights["pairs"], atol=2e-3)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BundleError, match="cannot be read"):
        Harmoniser.load(path)
    with pytest.raises(BundleError):
        Harmoniser.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"style": "jazz"}, "no style 'jazz'"),
        ({"every": "minute"}, "every 'minute'"),
        ({"n": 0}, "0 harmonies"),
        ({"n": 101}, "101 harmonies"),
    ],
)
def test_invalid_options_are_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        model().harmonise(TUNE, **changes)


def test_melodies_without_notes_or_with_too_many_bars_are_refused() -> None:
    with pytest.raises(UsageError, match="no notes"):
        model().harmonise(Melody((), length=96))
    with pytest.raises(UsageError, match="bars"):
        model().harmonise(Melody.from_pitches([(60, 96 * 40_000)]))


def test_the_best_harmony_agrees_most_with_all_sequences_by_their_probability() -> None:
    field = model(5)
    beats = Beats.of_melody(TUNE.until(4 * 24), Key(), "lied")
    chain = _Chain.build(field.scores(beats), field, beats.classes, beats.may_change("beat"))
    paths = np.array(list(product(range(len(LABELS)), repeat=4)))
    chances = np.exp([chain.log_likelihood(path) for path in paths])
    marginals = [[chances[paths[:, beat] == label].sum() for label in range(len(LABELS))] for beat in range(4)]
    np.testing.assert_allclose(chain.marginals(), marginals, atol=1e-9)
    best = field.harmonise(TUNE.until(4 * 24))[
        0
    ].chords  # the roots of LABELS all differ, so that any agreement is whole
    assert [str(best.at(24 * beat)) for beat in range(4)] == [str(LABELS[row]) for row in np.argmax(marginals, axis=1)]


@pytest.mark.parametrize(("meter", "half"), [("6/8", 36), ("2/4", 24), ("4/4", 48), ("2/2", 48), ("12/8", 72)])
def test_chords_may_change_in_the_middle_of_a_bar(meter: str, half: int) -> None:
    melody = Melody.from_pitches([(60 + k % 5, 12) for k in range(48)], meter=Meter.parse(meter))
    beats = Beats.of_melody(melody, Key(), "lied")
    assert beats.ticks[:-1][beats.may_change("half-bar")].tolist() == list(range(0, melody.length, half))
