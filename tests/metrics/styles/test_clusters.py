"""Styles are found where they were planted, measured as others measure them, and said in words that are true."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import silhouette_samples

from cantilena.errors import CorpusError, UsageError
from cantilena.metrics import (
    STYLE_COLUMNS,
    STYLE_FEATURES,
    cluster_features,
    components,
    describe_cluster,
    describe_silhouette,
    silhouettes,
    style_clusters,
    style_features,
)
from cantilena.metrics.features import meter_class
from cantilena.metrics.styles.clusters import standardised
from cantilena.metrics.styles.names import StyleFeature, describe_axis
from cantilena.music import Key, Meter
from cantilena.rules import Context
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)
JIG = Context(Key.parse("A minor"), Meter(6, 8), 12)


def numbers(rows: list[list[int]], contexts: list[Context] | None = None) -> list[dict[str, float]]:
    """The features by name; -1 holds, -2 is silence, else a MIDI pitch."""
    tokens = np.array([[{-1: 1, -2: 0}.get(pitch, pitch + 2) for pitch in row] for row in rows])
    found = style_features(GRID.line(tokens), contexts or [Context()] * len(rows))
    return [dict(zip(STYLE_COLUMNS, row.tolist(), strict=True)) for row in found]


def test_every_number_of_a_melody_worked_by_hand() -> None:
    # A4 held for a quarter, B4 eighth, B4 eighth, E5 quarter, rest of an eighth, A4 sixteenth twice: one bar of 6/8+
    row = [69, -1, -1, -1, 71, -1, 71, -1, 76, -1, -1, -1, -2, -1, 69, 69]
    (told,) = numbers([row], [JIG])
    assert told["notes_per_quarter"] == pytest.approx(6 / 4)
    assert (told["quarters"], told["eighths"], told["sixteenths"]) == pytest.approx((2 / 6, 2 / 6, 2 / 6))
    assert told["halves"] == told["dotted_eighths"] == told["dotted_quarters"] == 0
    assert (told["repeated"], told["steps"], told["leaps"]) == pytest.approx((2 / 5, 1 / 5, 2 / 5))
    assert told["mean_interval"] == pytest.approx((2 + 0 + 5 + 7 + 0) / 5)
    assert (told["range"], told["minor"], told["silence"]) == pytest.approx((7, 1, 2 / 16))
    assert (told["duple"], told["triple"], told["compound"]) == (0, 0, 1)
    waits = np.array([1, 2, 1, 1]) / 5  # after 4 once, 2 twice, 6 once, 1 once
    assert told["rhythm_entropy"] == pytest.approx(-(waits * np.log2(waits)).sum())
    classes = np.array([3, 2, 1]) / 6
    assert told["pitch_class_entropy"] == pytest.approx(-(classes * np.log2(classes)).sum())
    assert np.isnan(told["returns_1"])  # one bar alone


def test_what_comes_back_comes_back() -> None:
    bar = [60, -1, -1, -1, 62, -1, 64, -1, 65, -1, -1, -1, 67, -1, -1, -1]
    (told,) = numbers([bar * 8])
    assert told["returns_2"] == pytest.approx(1.0, abs=0.05)  # the very first note is reached from nowhere
    assert told["returns_4"] > 0.95


def test_silence_tells_nothing_and_one_note_little() -> None:
    quiet, single = numbers([[-2] * 16, [60] + [-1] * 15])
    assert all(np.isnan(value) for value in quiet.values())
    assert single["range"] == 0
    assert single["halves"] == 1
    assert np.isnan([single["mean_interval"], single["steps"], single["repeated"], single["rhythm_entropy"]]).all()
    assert style_features(GRID.line(np.zeros((0, 4), dtype=np.int64)), []).shape == (0, len(STYLE_COLUMNS))
    with pytest.raises(ValueError, match="as many contexts"):
        style_features(GRID.line(np.zeros((2, 4), dtype=np.int64)), [Context()])


@pytest.mark.parametrize(
    ("meter", "name"),
    [("2/4", "duple"), ("4/4", "duple"), ("2/2", "duple"), ("3/4", "triple"), ("3/8", "triple"), ("3/2", "triple"),
     ("6/8", "compound"), ("9/8", "compound"), ("12/8", "compound"), ("5/4", ""), ("7/8", "")],
)  # fmt: skip
def test_meters_have_a_class(meter: str, name: str) -> None:
    assert meter_class(Meter.parse(meter)) == name


def test_silhouettes_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    points = rng.normal(size=(211, 5))
    labels = {k: rng.permutation(np.arange(211) % k) for k in (2, 3, 7)}
    labels[4] = np.array([0] * 100 + [1] * 100 + [2] * 10 + [3])  # one point alone
    for k, found in silhouettes(points, labels).items():
        np.testing.assert_allclose(found, silhouette_samples(points, labels[k]), atol=1e-9)


def test_silhouettes_of_many_portions_and_of_equal_points(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = np.random.default_rng(4).normal(size=(50, 2)), np.arange(50) % 3
    whole = silhouettes(points, {3: labels})[3]
    monkeypatch.setattr(import_module("cantilena.metrics.styles.clusters"), "_CELLS", 120)
    np.testing.assert_allclose(silhouettes(points, {3: labels})[3], whole, atol=1e-9)
    assert silhouettes(np.ones((4, 2)), {2: np.array([0, 0, 1, 1])})[2].tolist() == [0.0] * 4
    with pytest.raises(ValueError, match="two clusters"):
        silhouettes(points, {1: np.zeros(50, dtype=np.int64)})


def planted(groups: int, each: int, seed: int = 5) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Features in groups far apart, in a random order."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(groups, len(STYLE_COLUMNS)), scale=3)
    labels = rng.permutation(np.repeat(np.arange(groups), each))
    return middles[labels] + rng.normal(size=(groups * each, len(STYLE_COLUMNS)), scale=0.3), labels


@pytest.mark.parametrize("groups", [5, *(pytest.param(groups, marks=pytest.mark.e2e) for groups in (2, 3, 9))])
def test_planted_clusters_and_their_number_are_found(groups: int) -> None:
    features, labels = planted(groups, 20)
    found = style_clusters(features, np.random.default_rng(1))
    assert found.k == groups
    assert len({*zip(found.labels.tolist(), labels.tolist(), strict=True)}) == groups  # one to one
    assert found.silhouette == max(found.curve.values()) > 0.5
    assert set(found.curve) == set(range(2, 13))
    for cluster in range(groups):
        assert found.distances[found.central(cluster)].tolist() == sorted(found.distances[found.labels == cluster])


def test_the_largest_comes_first_and_a_number_that_is_asked_for_gives_the_same() -> None:
    features, _ = planted(4, 10)
    features = features[10:]
    chosen = style_clusters(features, np.random.default_rng(1))
    asked = style_clusters(features, np.random.default_rng(1), chosen.k)
    assert chosen.labels.tolist() == asked.labels.tolist()
    assert (np.diff(np.bincount(chosen.labels)) <= 0).all()
    again = style_clusters(features, np.random.default_rng(1))
    assert again.silhouettes.tolist() == chosen.silhouettes.tolist()


def test_of_many_melodies_some_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("cantilena.metrics.styles.clusters"), "MOST_COMPARED", 20)
    features, labels = planted(3, 20)
    found = style_clusters(features, np.random.default_rng(1))
    assert np.count_nonzero(~np.isnan(found.silhouettes)) == 20
    assert len({*zip(found.labels.tolist(), labels.tolist(), strict=True)}) == found.k == 3


def test_undefined_numbers_and_wild_ones_do_no_harm() -> None:
    features, labels = planted(2, 25)
    features[3] = np.nan
    features[4, 0] = 1e9
    features[:, 7] = np.nan
    found = style_clusters(features, np.random.default_rng(1), 2)
    kept = np.delete(np.arange(50), [3, 4])
    assert len({*zip(found.labels[kept].tolist(), labels[kept].tolist(), strict=True)}) == 2
    assert np.isfinite(found.points).all()


def test_each_feature_weighs_alike() -> None:
    points = standardised(planted(6, 50)[0])
    at = 0
    for names in STYLE_FEATURES.values():
        assert points[:, at : at + len(names)].var(axis=0).sum() == pytest.approx(1.0, abs=0.02)
        at += len(names)


@pytest.mark.parametrize("clusters", [-3, 0, 1, 101, 10**9])
def test_silly_numbers_of_clusters_are_refused(clusters: int) -> None:
    with pytest.raises(UsageError, match="the number of clusters is"):
        style_clusters(planted(2, 5)[0], np.random.default_rng(1), clusters)


def test_too_few_or_equal_melodies_are_refused() -> None:
    rng, columns = np.random.default_rng(1), len(STYLE_COLUMNS)
    for melodies in (0, 1, 2):
        with pytest.raises(CorpusError, match=f"^{melodies} melod(y|ies) cannot form 2 clusters$"):
            style_clusters(rng.normal(size=(melodies, columns)), rng)
    with pytest.raises(CorpusError, match="9 melodies cannot form 9 clusters"):
        style_clusters(rng.normal(size=(9, columns)), rng, 9)
    with pytest.raises(CorpusError, match="20 melodies are all the same"):
        style_clusters(np.ones((20, columns)), rng)
    two_kinds = np.repeat(rng.normal(size=(2, columns)), 10, axis=0)
    with pytest.raises(CorpusError, match="of only 2 kinds"):
        style_clusters(two_kinds, rng, 3)
    assert style_clusters(two_kinds, rng).curve == pytest.approx({2: 1.0})


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    points = np.random.default_rng(6).normal(size=(40, 6)) * [5, 3, 1, 1, 1, 1]
    places, directions, shares = components(points)
    centred = points - points.mean(axis=0)
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(directions @ axes[:2].T), np.eye(2), atol=1e-9)
    np.testing.assert_allclose(shares, values[:2] ** 2 / (values**2).sum())
    np.testing.assert_allclose(places, centred @ directions.T)
    assert (directions[[0, 1], np.abs(directions).argmax(axis=1)] > 0).all()


def named(**differences: float) -> dict[str, StyleFeature]:
    return {name: StyleFeature(0.6, 0.1, value) for name, value in differences.items()}


def test_words_follow_from_the_features() -> None:
    fast = cluster_features(
        np.array([[1.0], [1.0], [5.0]]) * np.ones(len(STYLE_COLUMNS)), np.array([False, False, True])
    )
    assert fast["notes_per_quarter"].mean == 5
    assert fast["notes_per_quarter"].difference == pytest.approx(4 / np.std([1, 1, 5]))
    assert describe_cluster(named(notes_per_quarter=1.0, range=-0.9, steps=0.8), []) == "fast, narrow, mostly steps"
    assert describe_cluster(named(notes_per_quarter=-1.0, eighths=0.9), []) == "slow"  # one speaks for both
    assert describe_cluster(named(notes_per_quarter=0.3, range=float("nan")), []) == "like the rest"
    assert describe_cluster(named(compound=2.0), ["6/8"] * 6 + ["9/8"] * 4) == "mostly 6/8"
    assert describe_cluster(named(compound=2.0), ["6/8", "9/8", "12/8"]) == "mostly compound"
    assert describe_cluster(named(compound=-2.0, minor=-0.5), ["4/4"]) == "often major"
    assert describe_cluster(dict.fromkeys(STYLE_COLUMNS, StyleFeature(1.0, 0.0, 1.0)), ["3/4"]).count(",") == 4


def test_a_number_that_cannot_be_told_has_a_reason() -> None:
    features = np.full((3, len(STYLE_COLUMNS)), np.nan)
    told = cluster_features(features, np.array([True, False, False]))
    record = told["range"].to_json()
    assert record["mean"] is None
    assert record["reason"]
    assert StyleFeature(1.0, 2.0, -1.0).to_json() == {"mean": 1.0, "rest": 2.0, "difference": -1.0}
    for name in STYLE_COLUMNS:
        for sign in (-1.0, 1.0):
            assert describe_axis({name: sign})
    assert describe_silhouette(0.6) == "apart"
