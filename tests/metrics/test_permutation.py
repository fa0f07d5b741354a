"""Differences are told where there are some, and seldom where there are none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cantilena.metrics import Difference, RuleCounts, Side, corrected, holm, rate_differences, set_differences
from cantilena.metrics.ngrams import different_melodies, distinct_n
from cantilena.metrics.sets import joined_lines, one_of_each
from cantilena.music import Line
from cantilena.tokenizers import GridEncoding


def side(name: str, counted: list[float], out_of: list[float] | None = None, pieces: object = None) -> Side:
    below = out_of or [1.0] * len(counted)
    labels = np.arange(len(counted)) if pieces is None else np.asarray(pieces)
    return Side(name, RuleCounts.from_pairs({"x": (np.array(counted), np.array(below))}), labels)


def welch(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(np.abs(stats.ttest_ind(x, y, equal_var=False, axis=axis).statistic))


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_all_permutations_of_few_pieces_give_the_exact_p_of_scipy(shift: float) -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0, 1, 8), rng.normal(shift, 2, 9)
    exact = stats.permutation_test((a, b), welch, n_resamples=np.inf, vectorized=True, alternative="greater")
    ours = rate_differences(side("a", list(a)), side("b", list(b)), np.random.default_rng(1), permutations=20_000)[0]
    assert ours.value == pytest.approx(b.mean() - a.mean())
    assert ours.p == pytest.approx(exact.pvalue, abs=0.012)


def test_the_standard_error_is_that_of_a_rate_by_piece() -> None:
    # The p-value of all 924 deals of 6 and 6 pieces, by a plain loop over combinations.
    rng = np.random.default_rng(3)
    counted, out_of = rng.integers(0, 9, 12).astype(float), rng.integers(9, 30, 12).astype(float)

    def t(first: list[int]) -> float:
        rates, variances = [], []
        for part in (first, [piece for piece in range(12) if piece not in first]):
            rate = counted[part].sum() / out_of[part].sum()
            left = counted[part] - rate * out_of[part]
            rates.append(rate)
            variances.append(6 / 5 * (left**2).sum() / out_of[part].sum() ** 2)
        return float(abs(rates[1] - rates[0]) / np.sqrt(sum(variances)))

    every = [t(list(first)) for first in itertools.combinations(range(12), 6)]
    exact = np.mean([value >= every[0] - 1e-9 for value in every])
    a, b = (
        side(name, list(counted[part]), list(out_of[part])) for name, part in (("a", slice(6)), ("b", slice(6, 12)))
    )
    found = rate_differences(a, b, np.random.default_rng(1), permutations=20_000)[0]
    assert found.p == pytest.approx(exact, abs=0.012)


def test_a_rate_is_a_sum_over_a_sum_not_a_mean_of_rates() -> None:
    one = rate_differences(
        side("a", [1, 1] * 10, [1, 9] * 10),
        side("b", [5, 0] * 10, [5, 5] * 10),
        np.random.default_rng(1),
        permutations=99,
    )[0]
    assert one.value == pytest.approx(0.5 - 0.2)


def clustered(rng: np.random.Generator, pieces: int, shift: float = 0.0) -> tuple[list[float], list[int]]:
    """Melodies of pieces that resemble each other within a piece."""
    own = rng.normal(shift, 1.0, pieces)
    labels = np.repeat(np.arange(pieces), 8)
    return list(own[labels] + rng.normal(0, 0.3, len(labels))), list(labels)


def test_without_a_difference_hardly_any_is_told_though_melodies_of_a_piece_are_alike() -> None:
    rng, wrong, wrong_alone = np.random.default_rng(5), 0, 0
    for _ in range(150):
        (a, of_a), (b, of_b) = clustered(rng, 12), clustered(rng, 12)
        p = rate_differences(side("a", a, pieces=of_a), side("b", b, pieces=of_b), rng, permutations=199)[0].p
        alone = rate_differences(side("a", a), side("b", b), rng, permutations=199)[0].p
        assert p is not None
        assert alone is not None
        wrong, wrong_alone = wrong + (p <= 0.05), wrong_alone + (alone <= 0.05)
    assert wrong <= 15  # 5 % of 150 is 7.5; three standard deviations more
    assert wrong_alone > 45  # what pieces are for


def test_systems_that_vary_more_or_less_are_not_told_apart_where_their_rate_is_the_same() -> None:
    rng, wrong = np.random.default_rng(11), 0
    for _ in range(150):
        a, b = rng.normal(0, 1.0, 50), rng.normal(0, 0.2, 400)
        p = rate_differences(side("a", list(a)), side("b", list(b)), rng, permutations=199)[0].p
        wrong += p is not None and p <= 0.05
    assert wrong <= 15  # it was more than half of them where differences were not held beside their error


def test_few_pieces_of_many_excerpts_are_told_from_many_single_melodies() -> None:
    rng, found, wrong = np.random.default_rng(12), 0, 0
    for _ in range(60):
        (a, of_a), b = clustered(rng, 30), rng.normal(0, 1, 600)
        for shift in (0.0, 1.5):
            p = rate_differences(side("a", a, pieces=of_a), side("b", list(b + shift)), rng, permutations=199)[0].p
            told = p is not None and p <= 0.05
            found, wrong = found + (shift > 0 and told), wrong + (shift == 0 and told)
    assert found >= 55
    assert wrong <= 8


def test_pieces_that_both_systems_have_make_the_test_careful_not_careless() -> None:
    rng, wrong = np.random.default_rng(13), 0
    for _ in range(150):
        own = rng.normal(0, 1, 25)
        a, b = (side(name, list(own + rng.normal(0, 0.5, 25))) for name in "ab")
        p = rate_differences(a, b, rng, permutations=199)[0].p
        wrong += p is not None and p <= 0.05
    assert wrong <= 7


def test_a_planted_difference_is_found() -> None:
    rng, found = np.random.default_rng(6), 0
    for _ in range(40):
        (a, of_a), (b, of_b) = clustered(rng, 30), clustered(rng, 30, shift=1.0)
        p = rate_differences(side("a", a, pieces=of_a), side("b", b, pieces=of_b), rng, permutations=199)[0].p
        found += p is not None and p <= 0.05
    assert found >= 34


def test_a_family_of_null_hypotheses_errs_in_one_family_of_twenty() -> None:
    rng, wrong = np.random.default_rng(7), 0
    for _ in range(100):
        counts = [
            RuleCounts.from_pairs({f"m{k}": (rng.normal(0, 1, 40), np.ones(40)) for k in range(20)}) for _ in range(2)
        ]
        a, b = (Side(name, part, np.arange(40)) for name, part in zip("ab", counts, strict=True))
        family = corrected(rate_differences(a, b, rng, permutations=599))
        wrong += any(one.adjusted is not None and one.adjusted <= 0.05 for one in family)
    assert wrong <= 10  # 5 % of 100 is 5


def test_too_few_pieces_have_no_p_but_a_reason() -> None:
    one = rate_differences(side("a", [1, 2, 3]), side("b", [7, 8, 9]), np.random.default_rng(1))[0]
    assert one.value == 6.0
    assert one.p is None
    assert one.reason == "6 pieces can be dealt in 20 ways only"
    assert one.to_json() == {
        "first": "a", "second": "b", "metric": "x", "value": 6.0, "p": None, "adjusted": None,
        "reason": "6 pieces can be dealt in 20 ways only",
    }  # fmt: skip


def test_one_piece_alone_has_no_spread_to_judge_by() -> None:
    lone = side("a", [4.0] + [0.0] * 30, [9.0] + [0.0] * 30)
    one = rate_differences(lone, side("b", [1.0] * 30, [2.0] * 30), np.random.default_rng(1), permutations=99)[0]
    assert one.value == pytest.approx(0.5 - 4 / 9)
    assert (one.p, one.reason) == (None, "one of the two has it in one piece only")


def test_what_never_varies_is_no_difference_or_the_largest() -> None:
    same = rate_differences(side("a", [0.3] * 30), side("b", [0.3] * 40), np.random.default_rng(1), permutations=99)[0]
    assert same.value == pytest.approx(0.0)
    assert same.p == 1.0
    other = rate_differences(side("a", [0.3] * 30), side("b", [0.4] * 40), np.random.default_rng(1), permutations=99)[0]
    assert other.value == pytest.approx(0.1)
    assert other.p == 0.01


def test_permutations_that_leave_a_side_nothing_to_count_are_left_out() -> None:
    # Two pieces a side have it: most deals leave a side with one of them or none.
    a = side("a", [1.0, 3.0] + [0.0] * 8, [4.0, 4.0] + [0.0] * 8)
    b = side("b", [2.0, 4.0] + [0.0] * 8, [4.0, 4.0] + [0.0] * 8)
    one = rate_differences(a, b, np.random.default_rng(1), permutations=999)[0]
    assert one.p is not None
    # Of the three ways to part four pieces into twos, 1 3 | 2 4 and 1 2 | 3 4 and 1 4 | 2 3, two are as far apart.
    assert one.p == pytest.approx(2 / 3, abs=0.08)


@pytest.mark.parametrize("melodies", [0, 1])
def test_no_melody_and_one_are_not_tested(melodies: int) -> None:
    few, many = side("a", [1.0] * melodies), side("b", [0.0] * 50)
    one = rate_differences(few, many, np.random.default_rng(1), permutations=99)[0]
    assert one.p is None
    assert one.reason
    line = GridEncoding().line(np.random.default_rng(1).integers(2, 20, (50, 8)))
    for pair in ((line[:melodies], line), (line, line[:melodies])):
        for told in set_differences(("a", "b"), pair, np.random.default_rng(1), permutations=99):
            assert told.p is None
            assert told.reason
    nothing = Side("c", RuleCounts.from_pairs({}), np.arange(3))
    assert rate_differences(nothing, many, np.random.default_rng(1)) == []


def test_what_is_undefined_on_one_side_is_not_tested() -> None:
    one = rate_differences(side("a", [0.0] * 9, [0.0] * 9), side("b", [1.0] * 9), np.random.default_rng(1))[0]
    assert (one.value, one.p) == (None, None)
    assert "undefined" in one.reason


def test_the_same_seed_gives_the_same_p() -> None:
    a, b = side("a", list(range(20))), side("b", list(range(5, 25)))
    assert rate_differences(a, b, np.random.default_rng(3)) == rate_differences(a, b, np.random.default_rng(3))


def test_sets_that_differ_in_diversity_are_told_apart() -> None:
    rng = np.random.default_rng(8)
    dull, varied = np.tile(rng.integers(2, 20, (5, 16)), (12, 1)), rng.integers(2, 20, (60, 16))
    lines = GridEncoding().line(dull), GridEncoding().line(varied)
    found = {one.metric: one for one in set_differences(("dull", "varied"), lines, rng, permutations=499)}
    assert found["different_melodies"].value == pytest.approx(1 - 5 / 60)
    assert found["distinct_4"].value == pytest.approx(distinct_n(lines[1], 4) - distinct_n(lines[0], 4))
    assert all(one.p is not None and one.p < 0.01 for one in found.values())
    alike = set_differences(("a", "b"), (lines[1][:30], lines[1][30:]), rng, permutations=499)
    assert all(one.p is not None and one.p > 0.05 for one in alike)


def tunes(rng: np.random.Generator, pieces: int, excerpts: int) -> tuple[Line, np.ndarray]:
    """Excerpts of which half quote the tune of their piece."""
    rows = rng.integers(2, 26, (pieces, excerpts, 24))
    own = np.repeat(rng.integers(2, 26, (pieces, 1, 12)), excerpts, axis=1)
    rows[..., :12] = np.where(rng.random((pieces, excerpts, 1)) < 0.5, own, rows[..., :12])
    return GridEncoding().line(rows.reshape(-1, 24)), np.repeat(np.arange(pieces), excerpts)


@pytest.mark.e2e
def test_sets_alike_are_hardly_ever_told_apart_though_excerpts_quote_their_tune() -> None:
    rng, wrong, wrong_alone = np.random.default_rng(9), 0, 0
    for _ in range(100):
        (a, of_a), (b, of_b) = tunes(rng, 40, 4), tunes(rng, 40, 4)
        by_piece = set_differences(("a", "b"), (a, b), rng, pieces=(of_a, of_b), permutations=59)[1].p
        alone = set_differences(("a", "b"), (a, b), rng, permutations=59)[1].p
        assert by_piece is not None
        assert alone is not None
        wrong, wrong_alone = wrong + (by_piece <= 0.05), wrong_alone + (alone <= 0.05)
    assert wrong <= 11  # 5 % of 100 is 5; three standard deviations more
    assert wrong_alone > wrong  # what pieces are for


def test_one_melody_of_each_piece_stays() -> None:
    line = GridEncoding().line(np.arange(2, 14)[:, None])
    pieces = np.array(["a", "b", "b", "c"] * 3)
    drawn = [one_of_each(line, pieces, np.random.default_rng(seed)).pitch[:, 0] - 48 for seed in range(40)]
    assert all(sorted(pieces[rows]) == ["a", "b", "c"] for rows in drawn)
    assert set(np.concatenate(drawn)) == set(range(12))


def test_lines_of_different_lengths_are_joined_without_changing_a_melody() -> None:
    short, long = GridEncoding().line(np.array([[14, 1]])), GridEncoding().line(np.array([[14, 1, 1], [14, 1, 16]]))
    both = joined_lines(short, long)
    assert both.length.tolist() == [2, 3, 3]
    assert different_melodies(both) == 1.0


def test_holm_by_its_definition() -> None:
    assert holm([0.01, 0.02, 0.03, 0.5]) == pytest.approx([0.04, 0.06, 0.06, 0.5])
    assert holm([None, 0.04]) == [None, 0.04]
    assert holm([]) == []


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=12))
def test_holm_rejects_what_its_steps_reject(p: list[float]) -> None:
    adjusted = holm(p)
    ranked = sorted(range(len(p)), key=lambda place: p[place])
    steps = itertools.takewhile(lambda rank: p[ranked[rank]] <= 0.05 / (len(p) - rank), range(len(p)))
    rejected = {ranked[rank] for rank in steps}
    told = {place for place, value in enumerate(adjusted) if value is not None and value <= 0.05}
    borderline = {place for place, value in enumerate(adjusted) if value is not None and abs(value - 0.05) < 1e-12}
    assert rejected - borderline == told - borderline


def test_corrected_keeps_what_was_not_tested() -> None:
    some = [Difference("a", "b", "x", 1.0, 0.02), Difference("a", "b", "y", None, reason="undefined")]
    assert [one.adjusted for one in corrected(some)] == [0.02, None]
