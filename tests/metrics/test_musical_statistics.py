"""What the rules of `cantilena` count: by hand, beside the rewards, and in words."""

from __future__ import annotations

import numpy as np
import pytest

from cantilena.metrics import cantilena_counts, cantilena_statistics, human_band
from cantilena.metrics.registry import CANTILENA_PREFIX, INSIDE, METRICS, RULES_BY_US, get_metric
from cantilena.music import Key, Melody, Meter
from cantilena.rules import RULE_SETS, Context, features_of, human_bands
from cantilena.tokenizers import EventsEncoding, GridEncoding

RULES = RULE_SETS["cantilena"]
FEATURES = list(features_of(RULES))


@pytest.fixture(scope="module")
def melodies() -> np.ndarray:
    rng = np.random.default_rng(11)
    wander = np.clip(rng.integers(-4, 5, (200, 64)).cumsum(axis=1) + 20, 2, 37)
    return np.where(rng.random((200, 64)) < 0.5, rng.integers(0, 2, (200, 64)), wander)


def test_a_small_tune_counted_by_hand() -> None:
    # C4 quarter, D4 eighth, E4 eighth, G4 half | F#4 quarter, D4 quarter, C4 half
    row = [14, 1, 1, 1, 16, 1, 18, 1, 21] + [1] * 7 + [20, 1, 1, 1, 16, 1, 1, 1, 14] + [1] * 7
    counts = cantilena_counts(GridEncoding().line(np.array([row])))
    found = {name: (counts.counted[name][0], counts.out_of[name][0]) for name in counts.names}
    assert found["key"] == (1, 7)
    assert found["opening"] == found["cadence"] == found["climax"] == (1, 1)
    assert found["repetition"] == (0, 7)
    assert found["leap_recovery"] == (0, 0)  # no leap of a fourth
    assert found["motif_return"] == (0, 1)
    assert found["range"] == (7, 1)
    assert found["motion"] == (4 / 6, 1)
    assert found["meter"] == (1, 1)
    assert found["density"] == (7 / 8, 1)
    assert found["rests"] == (0, 1)
    assert found["phrase_2"] == (0, 0)
    assert found["range_inside"] == (1, 1)


def test_metrics_count_what_rewards_pay(melodies: np.ndarray) -> None:
    line = GridEncoding().line(melodies)
    counts, rewards = cantilena_counts(line), RULES.rewards(line)
    in_each = {name: term.sum(axis=1) for name, term in rewards.items()}
    np.testing.assert_array_equal(-counts.counted["key"], in_each["key"])  # in major
    np.testing.assert_array_equal(-counts.counted["repetition"], in_each["repetition"])
    np.testing.assert_array_equal(3 * counts.counted["motif_return"], in_each["motif_return"])
    np.testing.assert_array_equal(counts.counted["opening"], in_each["opening"] == 3)
    strong = RULES["cadence"].with_parameters(by_step=0.0, lasting=0.0).rewards(line).sum(axis=1)
    np.testing.assert_array_equal(counts.counted["cadence"], strong == 4)
    np.testing.assert_array_equal(counts.counted["climax"], in_each["climax"] == 3)
    for name in FEATURES:
        defined = counts.out_of[name] > 0
        np.testing.assert_array_equal(counts.counted[name + INSIDE][defined], in_each[name][defined] == 0)
        assert not in_each[name][~defined].any()


def test_the_sum_over_any_part_is_the_sum_of_parts(melodies: np.ndarray) -> None:
    grid, minor = GridEncoding(), Context(Key.parse("A minor"), Meter(3, 4), 12)
    whole = cantilena_counts(grid.line(melodies), minor)
    first, second = (cantilena_counts(grid.line(part), minor) for part in (melodies[:77], melodies[77:]))
    for name in whole.names:
        np.testing.assert_array_equal(
            whole.counted[name], np.concatenate([first.counted[name], second.counted[name]]), err_msg=name
        )
        assert (whole.counted[name] <= np.maximum(whole.out_of[name], 1) * 1e3).all()


def test_what_is_undefined_is_nan_and_nothing_warns() -> None:
    silence = cantilena_statistics(GridEncoding().line(np.zeros((3, 32), dtype=np.int64)))
    assert np.isnan(silence["key"])
    assert np.isnan(silence["leap_recovery"])
    assert silence["opening"] == 0
    assert silence["rests"] == 1
    assert all(np.isnan(value) for value in cantilena_statistics(GridEncoding().line(np.zeros((0, 32), int))).values())


def test_events_have_no_metrics_of_time() -> None:
    scale = Melody.of([(60 + 2 * step, 12) for step in range(8)])
    encoding = EventsEncoding.learned_from([scale])
    line = encoding.line(encoding.encode(scale)[None])
    statistics = cantilena_statistics(line, Context(timed=False))
    for name in ("meter", "syncopation", "breathing", "rhythm", "rests", "density", "phrase_2", "cadence"):
        assert np.isnan(statistics[name]), name
    assert statistics["range"] == 14


def test_every_metric_has_words_and_every_word_a_metric() -> None:
    counts = cantilena_counts(GridEncoding().line(np.array([[14, 16]])))
    named = {name for name, words in METRICS.items() if words.group == RULES_BY_US and CANTILENA_PREFIX in name}
    assert named == {CANTILENA_PREFIX + name for name in counts.names}
    assert set(RULES.names) <= set(counts.names)  # a rule and its metric share their name
    for name in named:
        words = get_metric(name)
        assert words.meaning.endswith(".")
        assert len(words.label) < 30  # the column of a terminal
    assert len({get_metric(name).label for name in named}) == len(named)


def test_the_band_of_a_metric_is_that_of_the_rule() -> None:
    context = Context(meter=Meter(6, 8), steps_per_bar=12)
    for name in FEATURES:
        assert human_band(CANTILENA_PREFIX + name, context, 96) == human_bands().lookup(name, context, 96)
    assert human_band("cantilena.opening", context, 96) is None
    assert human_band("range_inside", context, 96) is None
