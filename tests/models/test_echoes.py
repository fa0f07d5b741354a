"""Echoes: matches counted against a slow search, what followed them, and their bounds."""

import numpy as np
import pytest

from cantilena.models import Features, NetworkOptions
from cantilena.models.network.features import DISTANCES, KINDS, LONGEST_MATCH, Heard, distance_kinds


def heard(tokens, reach=999):
    past = Heard.nothing(len(tokens))
    for column in np.asarray(tokens).T:
        past = past.after(column, reach)
    return past


def match(line, place):
    """How many tokens on end before `place` equal those at the end, by looking."""
    length = 0
    while place - 1 - length >= 0 and line[place - 1 - length] == line[len(line) - 1 - length]:
        length += 1
    return min(length, LONGEST_MATCH)


@pytest.mark.parametrize("kinds", [1, 2, 4])
def test_matches_are_those_that_one_finds_by_looking(kinds):
    lines = np.random.default_rng(kinds).integers(0, kinds, (3, 130))
    for length in (1, 2, 50, 130):
        found = heard(lines[:, :length]).matches
        expected = [[match(line[:length], place) for place in range(length)] for line in lines]
        np.testing.assert_array_equal(found, expected)


def test_only_the_reach_is_kept_and_matches_beyond_it_are_remembered():
    lines = np.random.default_rng(0).integers(0, 2, (2, 60))
    whole, near = heard(lines), heard(lines, reach=10)
    np.testing.assert_array_equal(near.tokens, lines[:, -10:])
    np.testing.assert_array_equal(near.matches, whole.matches[:, -10:])


def test_a_state_is_not_changed_by_what_follows():
    before = heard([[1, 2, 1]])
    kept = before.tokens.copy(), before.matches.copy()
    before.after(np.array([2]), reach=2)
    np.testing.assert_array_equal(before.tokens, kept[0])
    np.testing.assert_array_equal(before.matches, kept[1])


def test_the_longest_match_speaks_first_and_the_latest_of_equals():
    # 7 8 1, 8 2, 8 3, 7 8: after "7 8" came 1; after "8" alone 2, and later 3.
    tokens, kinds = heard([[7, 8, 1, 8, 2, 8, 3, 7, 8]]).echoes(4, nothing=38)
    assert tokens.tolist() == [[1, 3, 2, 38]]
    assert kinds.tolist() == [[2, 1, 1, 0]]


@pytest.mark.parametrize("line", [[], [4], [1, 2, 3]])
def test_what_does_not_repeat_itself_has_no_echo(line):
    tokens, kinds = heard(np.array([line], dtype=np.int64)).echoes(2, nothing=38)
    assert (tokens.tolist(), kinds.tolist()) == ([[38, 38]], [[0, 0]])


def test_one_token_for_ever_echoes_itself():
    tokens, kinds = heard(np.full((1, 300), 5), reach=200).echoes(2, nothing=38)
    assert (tokens.tolist(), kinds.tolist()) == ([[5, 38]], [[KINDS - 1, 0]])


def test_no_melody_and_far_distances_are_harmless():
    assert heard(np.zeros((0, 5), dtype=np.int64)).echoes(2, nothing=38)[0].shape == (0, 2)
    kinds = distance_kinds(np.arange(10_000))
    assert (np.diff(kinds) >= 0).all()
    assert set(kinds.tolist()) == set(range(DISTANCES))


def test_the_features_say_the_echoes_before_each_step():
    features = Features(NetworkOptions(bar_position=False, look_back=(), echoes=1), vocabulary_size=10)
    rows = features.of(np.array([[5, 7, 9, 5, 7]]))
    said, kinds = rows[0, :, 1] - 11, rows[0, :, 2] - 22  # after the 11 rows of tokens, 11 of echoes
    assert said.tolist() == [10, 10, 10, 10, 7]  # at the last step 5 has come back, and 7 had followed
    assert kinds.tolist() == [0, 0, 0, 0, 1]
    assert features.rows == 11 + 11 + KINDS
