"""The nine rules of RL Tuner against the reference's own numbers, and against a plain reading of them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cantilena.music import Key, Line
from cantilena.rules import RULE_SETS, Context, autocorrelations, leap_outcomes, melodic_intervals, rl_tuner_repeated
from cantilena.tokenizers import GridEncoding

ORACLE_NAMES = {
    "key": "reward_key",
    "tonic": "reward_tonic",
    "repetition": "reward_penalize_repeating",
    "autocorrelation": "reward_penalize_autocorrelation",
    "motif": "reward_motif",
    "repeated_motif": "reward_repeated_motif",
    "intervals": "reward_preferred_intervals",
    "leap": "reward_leap_up_back",
    "extremes": "reward_high_low_unique",
}
RULES = RULE_SETS["rl-tuner"]


@pytest.fixture(scope="session")
def oracle(shared: Path) -> dict[str, Any]:
    return json.loads((shared / "oracle" / "rl_tuner_sample.json").read_text())


@pytest.fixture(scope="session")
def compositions(oracle: dict[str, Any]) -> list[dict[str, Any]]:
    return oracle["compositions"]


@pytest.fixture(scope="session")
def line(compositions: list[dict[str, Any]]) -> Line:
    return GridEncoding().line(np.array([composition["notes"] for composition in compositions]))


@pytest.fixture(scope="session")
def plain() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "rules.py"
    spec = importlib.util.spec_from_file_location("benchmarks_rules", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def column(compositions: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([composition["rewards"][name] for composition in compositions], dtype=float)


def test_the_set_has_the_nine_rules() -> None:
    assert set(RULES.names) == set(ORACLE_NAMES)


@pytest.mark.parametrize("name", ORACLE_NAMES)
def test_rewards_equal_the_reference(name: str, line: Line, compositions: list[dict[str, Any]]) -> None:
    given = RULES.rewards(line)[name]
    assert given.dtype == np.float64
    np.testing.assert_allclose(given, column(compositions, ORACLE_NAMES[name]), rtol=0, atol=1e-9)


def test_total_equals_the_reference(line: Line, compositions: list[dict[str, Any]]) -> None:
    np.testing.assert_allclose(RULES.total(line), column(compositions, "reward_music_theory"), rtol=0, atol=1e-9)


def test_the_smaller_reward_modes_are_subsets(line: Line, oracle: dict[str, Any]) -> None:
    scaler, log_p = oracle["about"]["reward_scaler_in_modes"], oracle["about"]["note_rnn_logprob_in_modes"]
    basic = ("key", "tonic", "repetition")
    modes = {
        "music_theory_basic": (basic, log_p),
        "music_theory_basic_plus_variety": ((*basic, "autocorrelation"), log_p),
        "music_theory_all": (RULES.names, log_p),
        "music_theory_only": (RULES.names, 0.0),
        "preferred_intervals": (("intervals",), 0.0),
    }
    for mode, (names, added) in modes.items():
        wanted = np.array([composition["modes"][mode] for composition in oracle["compositions"]], dtype=float)
        np.testing.assert_allclose(RULES.only(*names).total(line) * scaler + added, wanted, rtol=0, atol=1e-5)


def test_raw_facts_equal_the_reference(line: Line, compositions: list[dict[str, Any]]) -> None:
    np.testing.assert_array_equal(rl_tuner_repeated(line), column(compositions, "repeating").astype(bool))
    outcome = [
        [step[0] for step in composition["rewards"]["leap[outcome,direction,leapt_from,steps_since]"]]
        for composition in compositions
    ]
    np.testing.assert_array_equal(leap_outcomes(line), outcome)
    # The reference marks in-key thirds and fifths by -3 and -5 and holds and offs by other negative numbers.
    wanted = column(compositions, "interval")
    ours = melodic_intervals(line)
    struck = (np.array(line.event) == 2) & (ours >= 0)
    plain_size = np.where(wanted == -3, 4, np.where(wanted == -5, 7, wanted))
    np.testing.assert_array_equal(ours[struck], plain_size[struck])
    assert (wanted[(ours < 0) & (np.array(line.event) == 2)] == 0).all()


def test_autocorrelation_equals_the_reference_operation(oracle: dict[str, Any]) -> None:
    for case in oracle["ops"]["autocorrelate"]:
        rho = autocorrelations(GridEncoding().line(np.array([case["signal"]])))
        assert rho[case["lag"] - 1, 0, -1] == pytest.approx(case["value"], abs=1e-12)


def test_autocorrelation_is_numpys_to_the_last_bit() -> None:
    # The rule has a threshold: a sum in another order can fall on its other side.
    rng = np.random.default_rng(3)
    classes = rng.choice([0, 1, 14, 16, 18, 19, 33], (60, 128))
    rho = autocorrelations(GridEncoding().line(classes))
    for melody, step in rng.integers(1, [60, 128], (600, 2)):
        signal = classes[melody, : step + 1].tolist()
        x, variance = np.asarray(signal) - np.mean(signal), np.var(signal)
        for lag in (1, 2, 3):
            if variance > 0 and lag <= len(signal):
                wanted = (x[lag:] * x[: len(signal) - lag]).sum() / float(len(signal)) / variance
                assert rho[lag - 1, melody, step] == wanted


def test_autocorrelation_is_undefined_where_nothing_varies() -> None:
    assert np.isnan(autocorrelations(GridEncoding().line(np.full((1, 5), 14)))).all()
    assert (RULES["autocorrelation"].rewards(GridEncoding().line(np.full((1, 5), 14))) == 0).all()


classes_like = st.one_of(
    st.integers(0, 37),
    st.sampled_from([0, 1]),
    st.sampled_from([0, 1, 2, 14, 21, 37]),
)


@settings(max_examples=60, deadline=None)
@given(melody=st.lists(classes_like, min_size=1, max_size=40))
def test_rewards_equal_a_plain_reading(melody: list[int], plain: ModuleType) -> None:
    given_rewards = RULES.rewards(GridEncoding().line(np.array([melody])))
    for name, wanted in plain.plain_rewards(melody).items():
        np.testing.assert_allclose(given_rewards[name][0], wanted, rtol=0, atol=1e-9, err_msg=name)


@settings(max_examples=30, deadline=None)
@given(
    melody=st.lists(classes_like, min_size=2, max_size=32),
    padding=st.lists(st.integers(0, 37), max_size=6),
)
def test_padding_neither_counts_nor_earns(melody: list[int], padding: list[int]) -> None:
    alone = RULES.rewards(GridEncoding().line(np.array([melody])))
    padded = RULES.rewards(GridEncoding().line(np.array([melody + padding]), length=np.array([len(melody)])))
    for name in RULES.names:
        np.testing.assert_array_equal(padded[name][:, : len(melody)], alone[name])
        assert (padded[name][:, len(melody) :] == 0).all()


@settings(max_examples=30, deadline=None)
@given(melody=st.lists(classes_like, min_size=9, max_size=32), cut=st.integers(1, 8))
def test_no_rule_looks_ahead(melody: list[int], cut: int) -> None:
    # Only the length of the melody is known before its end: that is why tonic and extremes are left out.
    seen = [name for name in RULES.names if name not in ("tonic", "extremes")]
    whole = RULES.only(*seen).rewards(GridEncoding().line(np.array([melody])))
    part = RULES.only(*seen).rewards(GridEncoding().line(np.array([melody[:-cut]])))
    for name in seen:
        np.testing.assert_array_equal(whole[name][:, :-cut], part[name])


@pytest.mark.parametrize("semitones", range(1, 12))
def test_every_major_key_is_c_major_transposed(semitones: int, line: Line) -> None:
    higher = Line.from_events(line.event, np.where(line.pitch >= 0, line.pitch + semitones, -1))
    in_c = RULES.rewards(line)
    in_key = RULES.rewards(higher, Context(Key(semitones)))
    for name in RULES.names:
        if name == "autocorrelation":  # holds and offs keep their numbers 1 and 0 while the pitches rise
            continue
        np.testing.assert_array_equal(in_key[name], in_c[name], err_msg=name)


def test_minor_keys_have_their_own_third_degree() -> None:
    a_minor = Context(Key.parse("A minor"))
    from_a_and_c = GridEncoding().line(np.array([[23, 27], [26, 30], [28, 32]]))  # A-C#, C-E, D-F#
    given = RULES["intervals"].rewards(from_a_and_c, a_minor)[:, 1]
    np.testing.assert_allclose(given, [0.75, 0.75, 0.45])
    assert RULES["tonic"].rewards(from_a_and_c, a_minor)[:, 0].tolist() == [3, 0, 0]


def test_chords_are_asked_for_every_pitch_class_by_the_key_rule_alone() -> None:
    event, top = np.full((1, 2), 2), np.array([[67, 60]])
    chord = Line.from_events(event, top, pitch_classes=np.array([[1 << 7 | 1 << 3, 1]]))  # E flat under G
    alone = Line.from_events(event, top)
    with_chord, without = RULES.rewards(chord), RULES.rewards(alone)
    assert with_chord["key"].tolist() == [[-1, 0]]
    for name in set(RULES.names) - {"key"}:
        np.testing.assert_array_equal(with_chord[name], without[name])


def test_pitches_below_the_grid_are_told_from_holds_and_offs() -> None:
    line = Line.from_events(np.full((1, 6), 2), np.array([[46, 47, 46, 47, 46, 47]]))
    assert not rl_tuner_repeated(line).any()
    assert melodic_intervals(line)[0, 1:].tolist() == [1] * 5


def test_lines_without_melodies_or_steps_are_answered_in_kind() -> None:
    for shape in ((0, 32), (3, 0)):
        empty = Line.from_events(np.zeros(shape, dtype=int), np.full(shape, -1))
        for rewards in RULES.rewards(empty).values():
            assert rewards.shape == shape
    nothing = GridEncoding().line(np.array([[14, 14]]), length=np.array([0]))
    assert RULES.total(nothing).tolist() == [[0, 0]]
