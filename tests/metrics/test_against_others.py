"""Keys against music21, the Vendi score against its authors' package, statistics against scipy.

Real tunes, written note by note into the other library's objects. music21 adds up the quarter lengths of written notes,
a tied one in its parts, and knows no pickup: neither changes how long a pitch class sounds. It correlates the same way.
Krumhansl and Kessler's weights have two names there. Its weights of Temperley are others (counted in Kostka and Payne's
excerpts; ours are of 1999), so the same weights are given to its algorithm, and its own must agree mostly.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from scipy import linalg, stats

from cantilena.data import load_builtin
from cantilena.metrics import (
    bootstrap_ratio,
    entropies,
    melody_features,
    ngram_similarity,
    pitch_class_entropy,
    subsample_interval,
    vendi_score,
)
from cantilena.music import KEY_PROFILES, Line, Melody, find_key
from cantilena.rules import Context, rhythm_entropy
from cantilena.tokenizers import GridEncoding

GRID = GridEncoding(0, 127)


@pytest.fixture(scope="module")
def tunes() -> list[Melody]:
    """Tunes of all collections."""
    corpus = load_builtin("tunes")
    return [corpus[row] for row in range(0, len(corpus), len(corpus) // 48)]


@pytest.fixture(scope="module")
def line(tunes: list[Melody]) -> Line:
    """Their first four bars of sixteenths."""
    rows = [GRID.encode(tune)[:64] for tune in tunes]
    return GRID.line(np.stack([row for row in rows if len(row) == 64]))


@functools.cache
def in_music21(tune: Melody) -> Any:
    import music21

    stream = music21.stream.Stream()
    for note in tune.sounding:
        stream.insert(note.onset / 24, music21.note.Note(note.top, quarterLength=note.duration / 24))
    return stream


def keys_of(tunes: list[Melody], profile: str, analysis: Any) -> list[tuple[bool, float]]:
    """Whether the keys are the same, and how far music21's best is ahead of its second."""
    found = []
    for tune in tunes:
        theirs = analysis.getSolution(in_music21(tune))
        ours = find_key(tune, profile)
        assert ours is not None
        lead = theirs.correlationCoefficient - theirs.alternateInterpretations[0].correlationCoefficient
        found.append(((ours.tonic, ours.mode) == (theirs.tonic.pitchClass, theirs.mode), lead))
    return found


@pytest.mark.parametrize(
    ("profile", "analysis"),
    [
        ("krumhansl-kessler", "KrumhanslSchmuckler"),
        ("aarden-essen", "AardenEssen"),
    ],
)
def test_keys_are_those_of_music21(tunes: list[Melody], profile: str, analysis: str) -> None:
    music21 = pytest.importorskip("music21")
    theirs = getattr(music21.analysis.discrete, analysis)()
    assert KEY_PROFILES[profile] == tuple(tuple(theirs.getWeights(mode)) for mode in ("major", "minor"))
    for same, lead in keys_of(tunes[::6], profile, theirs):
        assert same or lead < 1e-9  # two keys that fit equally well


def test_keys_by_temperleys_weights(tunes: list[Melody]) -> None:
    music21 = pytest.importorskip("music21")
    major, minor = KEY_PROFILES["temperley"]

    class Temperley1999(music21.analysis.discrete.KeyWeightKeyAnalysis):  # type: ignore[name-defined,misc]
        def getWeights(self, weightType: str = "major") -> list[float]:  # noqa: N802
            return list({"major": major, "minor": minor}[weightType.lower()])

    for same, lead in keys_of(tunes[::6], "temperley", Temperley1999()):
        assert same or lead < 1e-9
    kostka_payne = keys_of(tunes[::6], "temperley", music21.analysis.discrete.TemperleyKostkaPayne())
    assert np.mean([same for same, _ in kostka_payne]) > 0.75


@pytest.mark.filterwarnings("ignore:Please import `csr_matrix`:DeprecationWarning")
def test_the_vendi_score_is_that_of_its_authors(line: Line) -> None:
    vendi = pytest.importorskip("vendi_score.vendi", reason="vendi-score is not installed: pip install cantilena[dev]")
    kernel = ngram_similarity(line)
    assert vendi_score(line) == pytest.approx(vendi.score_K(kernel), rel=1e-9)
    share = linalg.eigvalsh(kernel / len(kernel))
    assert vendi_score(line) == pytest.approx(math.exp(stats.entropy(share[share > 1e-12])), rel=1e-6)
    for rows in (slice(0, 1), slice(0, 2), slice(0, 10)):
        assert vendi_score(line[rows]) == pytest.approx(vendi.score_K(ngram_similarity(line[rows])), rel=1e-9)
    same = line[[3] * 20]
    assert vendi_score(same) == pytest.approx(1.0) == pytest.approx(vendi.score_K(ngram_similarity(same)))


def test_the_bootstrap_is_that_of_scipy(line: Line) -> None:
    # Per melody: how many notes are shorter than a quarter, out of how many.
    features = melody_features(line, Context())
    out_of = features["note_count"][:, 0]
    counted = out_of * features["note_lengths"][:, :3].sum(axis=1)

    def share(above: Any, below: Any, axis: int = -1) -> Any:
        return above.sum(axis=axis) / below.sum(axis=axis)

    theirs = stats.bootstrap(
        (counted, out_of), share, paired=True, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    ours = bootstrap_ratio(counted, out_of, None, np.random.default_rng(2), resamples=20_000)
    assert ours.value == share(counted, out_of)
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.02 * width + 1e-3)
    assert ours.high == pytest.approx(theirs.high, abs=0.02 * width + 1e-3)


def test_half_sets_have_the_spread_of_scipys_bootstrap(line: Line) -> None:
    def notes(some: Line) -> float:
        return float(melody_features(some, Context())["note_count"].mean())

    counts = melody_features(line, Context())["note_count"][:, 0]
    theirs = stats.bootstrap((counts,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(1))
    ours = subsample_interval(notes, line, np.random.default_rng(2), draws=1000, within=(0.0, math.inf))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.high - ours.low == pytest.approx(width, rel=0.1)


def test_entropies_are_those_of_scipy(line: Line) -> None:
    log_p = np.log(np.random.default_rng(1).dirichlet(np.full(38, 0.3), (20, 16)))
    np.testing.assert_allclose(entropies(log_p), stats.entropy(np.exp(log_p), axis=-1), atol=1e-12)
    classes = [row.pitch[row.event == 2] % 12 for row in (line[[number]] for number in range(line.melodies))]
    by_scipy = [stats.entropy(np.bincount(row, minlength=12), base=2) for row in classes]
    np.testing.assert_allclose(pitch_class_entropy(line), by_scipy, atol=1e-12)
    waits = [np.diff(np.flatnonzero(row == 2)) for row in line.event]
    by_scipy = [stats.entropy(np.unique(row, return_counts=True)[1], base=2) for row in waits]
    np.testing.assert_allclose(rhythm_entropy(line, Context()), by_scipy, atol=1e-12)
