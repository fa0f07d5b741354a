"""Features of melodies and overlaps with the data: by hand, in plain Python, and by scipy's estimate of densities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.spatial.distance import cdist
from scipy.stats import gaussian_kde

from cantilena.errors import UsageError
from cantilena.metrics import FEATURES, Overlap, halves_by_piece, melody_features, overlaps
from cantilena.metrics.features import LENGTHS
from cantilena.metrics.overlap import BINS, binned, densities, divergence, overlapping_areas
from cantilena.metrics.registry import DISTANCE, METRICS
from cantilena.music import Key, Line, Note
from cantilena.rules import Context
from cantilena.tokenizers import EventsEncoding, GridEncoding

grids = st.integers(1, 24).flatmap(
    lambda steps: st.lists(
        st.lists(st.sampled_from([0, 1, 1, 2, 14, 16, 18, 37]), min_size=steps, max_size=steps), min_size=1, max_size=5
    )
)
Features = dict[str, NDArray[np.float64]]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def line_of(*melodies: list[int]) -> Line:
    return GridEncoding().line(np.array(melodies))


def shares(values: Sequence[float]) -> list[float]:
    return [value / sum(values) if sum(values) else math.nan for value in values]


def plain_features(notes: tuple[Note, ...], tonic: int) -> dict[str, list[float]]:
    """The same of one melody's notes, one by one, their time in sixteenths."""
    classes = [(note.top - tonic) % 12 for note in notes]
    sizes = [min(note.duration // 6, LENGTHS) for note in notes]
    moves, stretches = list(pairwise(classes)), list(pairwise(sizes))
    apart = [abs(after.top - before.top) for before, after in pairwise(notes)]
    onsets = [(after.onset - before.onset) / 6 for before, after in pairwise(notes)]
    tops = [note.top for note in notes]
    lengths = range(1, LENGTHS + 1)
    of_class = [sum(note.duration for note, one in zip(notes, classes, strict=True) if one == k) for k in range(12)]
    return {
        "pitch_count": [len(set(tops))],
        "pitch_classes": shares(of_class),
        "pitch_class_transitions": shares([moves.count((one, other)) for one in range(12) for other in range(12)]),
        "range": [max(tops, default=0) - min(tops, default=0)],
        "mean_interval": [sum(apart) / len(apart) if apart else math.nan],
        "note_count": [len(notes)],
        "inter_onset": [sum(onsets) / len(onsets) if onsets else math.nan],
        "note_lengths": shares([sizes.count(length) for length in lengths]),
        "note_length_transitions": shares([stretches.count((one, other)) for one in lengths for other in lengths]),
    }


@settings(max_examples=30, deadline=None)
@given(melodies=grids, tonics=st.lists(st.integers(0, 11), min_size=5, max_size=5))
def test_features_equal_those_of_the_notes_one_by_one(melodies: list[list[int]], tonics: list[int]) -> None:
    contexts = [Context(Key(tonic)) for tonic in tonics[: len(melodies)]]
    found = melody_features(line_of(*melodies), contexts)
    assert tuple(found) == tuple(FEATURES)
    for row, melody in enumerate(melodies):
        expected = plain_features(GridEncoding().decode(melody).sounding, tonics[row])
        for name, values in expected.items():
            np.testing.assert_allclose(found[name][row], values, atol=1e-12, err_msg=name)


def test_features_of_a_tune_worked_by_hand() -> None:
    tune = [14, 1, 1, 1, 16, 1, 18, 1, 18, 1, 0, 1, 14, 1, 1, 1]  # C quarter, D E E eighths, a rest, C quarter
    found = {name: values[0] for name, values in melody_features(line_of(tune), Context()).items()}
    scalars = [float(found[name][0]) for name in ("pitch_count", "range", "note_count", "mean_interval", "inter_onset")]
    assert scalars == [3, 4, 5, (2 + 2 + 0 + 4) / 4, 12 / 4]
    assert dict(enumerate(found["pitch_classes"][:5])) == {0: 8 / 14, 1: 0, 2: 2 / 14, 3: 0, 4: 4 / 14}
    moves = found["pitch_class_transitions"].reshape(12, 12)
    assert [moves[0, 2], moves[2, 4], moves[4, 4], moves[4, 0]] == [0.25] * 4
    assert [found["note_lengths"][1], found["note_lengths"][3]] == [0.6, 0.4]
    stretches = found["note_length_transitions"].reshape(LENGTHS, LENGTHS)
    assert [stretches[3, 1], stretches[1, 1], stretches[1, 3]] == [0.25, 0.5, 0.25]


def test_a_melody_and_its_key_moved_together_keep_their_features() -> None:
    tokens = rng(3).integers(0, 30, (20, 64))
    line = GridEncoding().line(tokens)
    higher = Line.from_events(line.event, np.where(line.pitch >= 0, line.pitch + 5, -1))
    one, other = melody_features(line, Context(Key(2))), melody_features(higher, Context(Key(7)))
    for name in FEATURES:
        np.testing.assert_array_equal(one[name], other[name])


def test_padding_chords_and_long_notes() -> None:
    padded = GridEncoding().line(np.array([[14, 16, 18, 33]]), length=np.array([3]))
    exact = line_of([14, 16, 18])
    for name in FEATURES:
        np.testing.assert_array_equal(melody_features(padded, Context())[name], melody_features(exact, Context())[name])
    chords = EventsEncoding(("C4+G4", "E4+G4"), chords="full").line(np.array([[0, 1]]))
    of_chords = melody_features(chords, Context())
    assert of_chords["pitch_count"].tolist() == [[1.0]]  # the top note alone
    long = melody_features(line_of([14, *[1] * 40]), Context())
    assert long["note_lengths"][0, -1] == 1.0


def test_features_of_nothing_are_undefined_but_for_counts() -> None:
    silence = melody_features(line_of([0, 1, 1, 1], [14, 1, 1, 1]), Context())
    assert [silence[name][0, 0] for name in ("pitch_count", "range", "note_count")] == [0, 0, 0]
    assert all(
        np.isnan(silence[name][0]).all() for name in FEATURES if name not in ("pitch_count", "range", "note_count")
    )
    between = ("pitch_class_transitions", "mean_interval", "inter_onset", "note_length_transitions")
    assert {name for name in FEATURES if np.isnan(silence[name][1]).all()} == set(between)
    none = melody_features(GridEncoding().line(np.zeros((0, 32), dtype=int)), [])
    assert {name: values.shape for name, values in none.items()} == {
        name: (0, values.shape[1]) for name, values in silence.items()
    }
    empty = melody_features(GridEncoding().line(np.zeros((2, 0), dtype=int)), Context())
    assert empty["note_count"].tolist() == [[0.0], [0.0]]
    untimed = melody_features(line_of([14, 16, 18]), Context(timed=False))
    timeless = {name for name in FEATURES if np.isnan(untimed[name]).any()}
    assert timeless == {"inter_onset", "note_lengths", "note_length_transitions"}
    with pytest.raises(ValueError, match="2 melodies need as many contexts, got 1"):
        melody_features(line_of([14], [16]), [Context()])


def counts_of(samples: NDArray[np.float64], largest: float) -> NDArray[np.int64]:
    return np.bincount(binned(samples, largest), minlength=BINS)


@pytest.mark.parametrize("size", [3, 40, 2000])
@pytest.mark.parametrize("kind", ["gamma", "whole numbers", "two heaps"])
def test_densities_are_those_of_scipy(kind: str, size: int) -> None:
    generator = rng(size)
    samples = {
        "gamma": generator.gamma(2.0, 3.0, size),
        "whole numbers": generator.integers(0, 13, size).astype(float),
        "two heaps": np.concatenate([generator.normal(3, 0.2, size), generator.normal(9, 0.5, size)]).clip(0),
    }[kind]
    largest = float(samples.max())
    width = largest / (BINS - 1)
    density = densities(counts_of(samples, largest)[None])[0]
    assert density.sum() == pytest.approx(1.0, abs=1e-12)
    places = np.concatenate([np.arange(-BINS, 0), np.arange(3 * BINS)])
    expected = gaussian_kde(samples)(places * width) * width
    np.testing.assert_allclose(density[places], expected, atol=0.012 * expected.max())


def test_areas_and_divergences_are_those_of_scipys_densities() -> None:
    first, second = rng(1).gamma(4.0, 1.0, 900), rng(2).gamma(6.0, 1.0, 1100)
    largest = float(max(first.max(), second.max()))
    one, other = densities(np.stack([counts_of(first, largest), counts_of(second, largest)]))
    places = np.linspace(-largest, 2 * largest, 6000)
    f, g = (gaussian_kde(samples)(places) for samples in (first, second))
    area = trapezoid(np.minimum(f, g), places)
    assert overlapping_areas(one[None], other[None])[0] == pytest.approx(area, abs=1e-3)
    kept = (f > 1e-12) & (g > 1e-12)
    kl = trapezoid(np.where(kept, f * np.log(np.maximum(f, 1e-300) / np.maximum(g, 1e-300)), 0.0), places)
    assert divergence(one, other) == pytest.approx(kl, abs=2e-3)
    assert divergence(one, one) == 0.0
    assert divergence(other, one) > 0.0


def test_a_set_without_spread_has_no_density() -> None:
    counts = np.zeros((3, BINS), dtype=np.int64)
    counts[1, 5], counts[2, [5, 6]] = 70, 1
    found = densities(counts)
    assert np.isnan(found).all(axis=1).tolist() == [True, True, False]
    assert binned(np.zeros(4), 0.0).tolist() == [0, 0, 0, 0]


def tunes(melodies: int, seed: int, highest: int = 26) -> Features:
    """Melodies of notes, holds and rests of which pitches vary from melody to melody."""
    generator = rng(seed)
    middle = generator.integers(6, highest, (melodies, 1))
    notes = np.clip(middle + generator.integers(-4, 5, (melodies, 48)), 2, 37)
    held = generator.random((melodies, 48)) < generator.uniform(0.2, 0.8, (melodies, 1))
    return melody_features(GridEncoding().line(np.where(held, 1, notes)), Context())


def by_scipy(data: NDArray[np.float64], generated: NDArray[np.float64]) -> tuple[float, float]:
    """The overlapping area and the divergence as the paper has them, with the tails."""
    within = cdist(data, data)[~np.eye(len(data), dtype=bool)]
    between = cdist(data, generated).ravel()
    largest = max(within.max(), between.max())
    places = np.linspace(-largest / 2, 1.5 * largest, 2000)
    f, g = gaussian_kde(within)(places), gaussian_kde(between)(places)
    kl = trapezoid(f * np.log(np.maximum(f, 1e-12 * f.max()) / np.maximum(g, 1e-12 * g.max())), places)
    return float(trapezoid(np.minimum(f, g), places)), float(kl)


def test_overlaps_are_the_papers_worked_out_with_scipy() -> None:
    data, generated = tunes(24, 1), tunes(24, 2, highest=34)
    found = overlaps(data, generated, rng(), draws=50)
    for name in FEATURES:
        area, kl = by_scipy(data[name], generated[name])
        assert found[f"overlap.{name}"].area.value == pytest.approx(area, abs=4e-3), name
        assert found[f"overlap.{name}"].kl == pytest.approx(kl, abs=0.01), name
    assert found["overlap"].area.value == pytest.approx(
        np.mean([found[f"overlap.{name}"].area.value for name in FEATURES])
    )
    for one in found.values():
        assert 0 <= one.area.low <= one.area.high <= 1
        assert one.melodies == 24


def test_one_source_overlaps_and_others_do_not() -> None:
    data, alike = tunes(160, 1), tunes(160, 2)
    same = overlaps(data, alike, rng(), draws=20)
    assert same["overlap"].area.value > 0.94
    one_tune = {name: np.tile(values[:1], (160, 1)) for name, values in alike.items()}
    collapsed = overlaps(data, one_tune, rng(), draws=20)
    assert collapsed["overlap"].area.high < same["overlap"].area.low - 0.1
    average = {name: np.tile(np.nanmedian(values, axis=0), (160, 1)) for name, values in data.items()}
    assert (
        overlaps(data, average, rng(), draws=2)["overlap.range"].area.value < 0.9
    )  # all in the middle is not alike either
    far = dict(alike, range=alike["range"] + 100)
    found = overlaps(data, far, rng(), draws=2)["overlap.range"]
    assert found.area.value < 1e-3
    assert 5 < found.kl < 30


def test_excerpts_of_one_piece_are_not_held_beside_one_another() -> None:
    generator = rng(5)
    pieces = np.repeat(np.arange(60), 10)  # ten excerpts of each, almost the same
    data = {"x": np.repeat(generator.normal(0, 1, 60), 10)[:, None] + generator.normal(0, 0.01, (600, 1))}
    others = {"x": generator.normal(0, 1, (600, 1))}
    aware = overlaps(data, others, rng(), pieces=pieces)["overlap.x"].area
    unaware = overlaps(data, others, rng())["overlap.x"].area
    one_each = overlaps({"x": data["x"][::10]}, {"x": others["x"][:60]}, rng())["overlap.x"].area
    assert aware.value > unaware.value
    assert aware.high - aware.low > 2 * (unaware.high - unaware.low)
    assert (aware.high - aware.low) / (one_each.high - one_each.low) == pytest.approx(1.0, abs=0.5)
    with pytest.raises(ValueError, match="600 melodies need as many pieces, got 5"):
        overlaps(data, others, rng(), pieces=np.arange(5))


@pytest.mark.e2e
def test_intervals_cover_the_truth() -> None:
    # Sets drawn from two sources: what parts of one pair of sets say, against many fresh pairs.
    def fresh(generator: np.random.Generator) -> tuple[Features, Features]:
        return {"x": generator.gamma(4.0, 2.0, (80, 1))}, {"x": generator.gamma(4.0, 1.2, (80, 1))}

    generator = rng(11)
    truth = np.mean([overlaps(*fresh(generator), generator, draws=1)["overlap.x"].area.value for _ in range(100)])
    held = 0
    for _ in range(30):
        found = overlaps(*fresh(generator), generator, draws=80)["overlap.x"].area
        held += bool(found.low <= truth <= found.high)
    assert held >= 26  # nominally 28 of 30


def test_parts_of_large_sets_say_what_halves_would(monkeypatch: pytest.MonkeyPatch) -> None:
    data, generated = ({"range": each["range"]} for each in (tunes(240, 1), tunes(240, 2, highest=32)))
    halves = overlaps(data, generated, rng(), draws=300)["overlap"].area
    monkeypatch.setattr("cantilena.metrics.overlap._PART", 60)
    quarters = overlaps(data, generated, rng(), draws=300)["overlap"].area
    assert quarters.value == halves.value
    assert quarters.high - quarters.low == pytest.approx(halves.high - halves.low, rel=0.3)


def test_equal_numbers_are_compared_and_the_generator_decides() -> None:
    data, generated = tunes(60, 1), tunes(90, 2)
    found = overlaps(data, generated, rng(1), draws=20)
    assert found == overlaps(data, generated, rng(1), draws=20)
    assert found != overlaps(data, generated, rng(2), draws=20)
    assert {one.melodies for one in found.values()} == {60}
    assert {one.melodies for one in overlaps(data, generated, rng(1), most=20, draws=2).values()} == {20}


def undefined(one: Overlap) -> bool:
    return bool(one.reason) and all(math.isnan(x) for x in (one.area.value, one.area.low, one.area.high, one.kl))


def test_what_cannot_be_compared_says_why() -> None:
    data = tunes(20, 1)
    silence = melody_features(GridEncoding().line(np.zeros((20, 48), dtype=int)), Context())
    of_silence = overlaps(data, silence, rng(), draws=5)
    assert "too few melodies" in of_silence["overlap.mean_interval"].reason
    assert not undefined(of_silence["overlap.note_count"])  # silence has no notes, which is a number
    assert of_silence["overlap.note_count"].area.value < 0.9
    assert undefined(of_silence["overlap"])
    assert "pitch_classes" in of_silence["overlap"].reason
    same = {name: np.tile(values[:1], (20, 1)) for name, values in data.items()}
    assert {one.reason for name, one in overlaps(same, same, rng(), draws=5).items() if name != "overlap"} == {
        "all distances are equal"
    }
    for size in (0, 1):
        few = {name: values[:size] for name, values in data.items()}
        assert all(undefined(one) for one in overlaps(few, data, rng(), draws=5).values())
        assert all(undefined(one) for one in overlaps(data, few, rng(), draws=5).values())
    one_piece = overlaps(data, data, rng(), draws=5, pieces=np.zeros(20))
    assert all(undefined(one) for one in one_piece.values())
    assert undefined(overlaps({}, {}, rng(), draws=5)["overlap"])


def test_some_melodies_without_a_feature_are_left_out_of_it() -> None:
    data, generated = tunes(40, 1), tunes(40, 2)
    holes = {name: values.copy() for name, values in generated.items()}
    holes["mean_interval"][::4] = np.nan
    found = overlaps(data, holes, rng(), draws=20)["overlap.mean_interval"]
    kept = generated["mean_interval"][np.arange(40) % 4 > 0]
    assert found.area.value == pytest.approx(by_scipy(data["mean_interval"], kept)[0], abs=4e-3)
    assert not math.isnan(found.area.low)


def test_wrong_questions_are_answered() -> None:
    data = tunes(4, 1)
    with pytest.raises(ValueError, match="different features"):
        overlaps(data, {"range": data["range"]}, rng())
    with pytest.raises(UsageError, match="level"):
        overlaps(data, data, rng(), level=95.0)


@given(pieces=st.lists(st.sampled_from("abcdefg"), max_size=40), seed=st.integers(0, 99))
def test_halves_share_no_piece(pieces: list[str], seed: int) -> None:
    labels = np.array(pieces, dtype=np.str_)
    first, second = halves_by_piece(labels, rng(seed))
    assert sorted([*first.tolist(), *second.tolist()]) == list(range(len(pieces)))
    assert not {*labels[first]} & {*labels[second]}
    largest = max((pieces.count(piece) for piece in pieces), default=0)
    assert abs(len(first) - len(second)) <= largest


def test_every_overlap_has_words() -> None:
    named = {name for name in METRICS if name.startswith("overlap")}
    assert named == set(overlaps(tunes(4, 1), tunes(4, 2), rng(), draws=2))
    for name in named:
        words = METRICS[name]
        assert (words.better, words.unit, words.group) == ("more", "share", DISTANCE)
        assert len(words.label) < 30  # the column of a terminal
