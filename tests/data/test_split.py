"""Splits are by piece, do not change when files are added, and are not empty where possible."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cantilena.data.split import split_by_piece, work_of

NAMES = [f"tune {number}" for number in range(5000)]


def test_fractions_are_kept_on_average() -> None:
    counts = Counter(split_by_piece(NAMES))
    assert 3900 < counts["train"] < 4100
    assert 420 < counts["valid"] < 580
    assert 420 < counts["test"] < 580


def test_melodies_of_a_piece_stay_together() -> None:
    voices = [f"chorale {number}" for number in range(200) for _ in range(4)]
    splits = split_by_piece(voices)
    assert all(len(set(splits[start : start + 4])) == 1 for start in range(0, 800, 4))


def test_added_files_leave_the_others_where_they_are() -> None:
    before = dict(zip(NAMES[:2500], split_by_piece(NAMES[:2500]), strict=True))
    after = dict(zip(NAMES, split_by_piece(NAMES), strict=True))
    assert all(after[name] == split for name, split in before.items())


def test_order_does_not_matter_and_the_seed_does() -> None:
    forwards = dict(zip(NAMES, split_by_piece(NAMES), strict=True))
    backwards = dict(zip(NAMES[::-1], split_by_piece(NAMES[::-1]), strict=True))
    assert forwards == backwards
    assert split_by_piece(NAMES, seed=1) != split_by_piece(NAMES)


def test_near_duplicates_pull_their_pieces_together() -> None:
    links = [(index, index + 1) for index in range(0, 4999, 2)]
    splits = split_by_piece(NAMES, links=links)
    assert all(splits[one] == splits[other] for one, other in links)
    assert Counter(splits)["train"] > 3800


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40), st.randoms(use_true_random=False))
def test_chains_of_links_hold_in_any_order(links: list[tuple[int, int]], random: object) -> None:
    splits = split_by_piece(NAMES[:30], links=links)
    assert all(splits[one] == splits[other] for one, other in links)
    random.shuffle(links)
    assert split_by_piece(NAMES[:30], links=links) == splits


@pytest.mark.parametrize("seed", range(20))
def test_small_corpora_have_all_three(seed: int) -> None:
    assert set(split_by_piece(NAMES[:3], seed=seed)) == {"train", "valid", "test"}
    assert sorted(split_by_piece(NAMES[:2], seed=seed)) == ["train", "valid"]
    assert split_by_piece(NAMES[:1], seed=seed) == ["train"]
    assert split_by_piece([], seed=seed) == []
    assert Counter(split_by_piece(NAMES[:10], seed=seed)).most_common(1)[0][0] == "train"


@pytest.mark.parametrize(
    ("title", "work"),
    [
        ("Sonate Les adieux 2. Satz", "sonate les adieux"),
        ("Klaviersonate Nr. 12 KV 332 1. Satz", "klaviersonate nr. 12 kv 332"),
        ("Wandererfantasie D760, 4 Satz", "wandererfantasie d760"),
        ("Sonata D850, 4. movement", "sonata d850"),
        ("Quartet in C, 3rd movement: Menuetto", "quartet in c"),
        ("Sonata in A - II. mvt. Andante", "sonata in a"),
        ("Lieder ohne Worte Op. 30 No. 1", "lieder ohne worte op. 30 no. 1"),
        ("Sonate Nr. 23  Op. 57", "sonate nr. 23 op. 57"),
        ("Untitled", ""),
        ("Piano", ""),
        ("The Movement of the Waves", ""),
        ("", ""),
        ("2. Satz", ""),
    ],
)
def test_titles_tell_the_work(title: str, work: str) -> None:
    assert work_of(title) == work
