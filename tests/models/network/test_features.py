"""Features and token history against plain loops, and single steps against whole sequences."""

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.models import Bars, Features, NetworkOptions
from cantilena.models.network.features import (
    BAR_POSITIONS,
    DISTANCE_BINS,
    MATCH_BINS,
    MAX_MATCH,
    MAX_RUN,
    TokenHistory,
    distance_bins,
)

MIXED = Bars(np.array([16, 12, 5, 200]), np.array([0, 4, 0, 2]))


def rows_by_hand(options, vocabulary, tokens, bars):
    """The rows of each step, one by one."""
    rows = []
    for melody, line in enumerate(tokens.tolist()):
        length, pickup = int(bars.steps_per_bar[melody]), int(bars.pickup[melody])
        steps = []
        for step in range(len(line)):
            columns, offset = [line[step - 1] if step else vocabulary], vocabulary + 1
            if options.bar_position:
                columns += [
                    offset + min((step - pickup) % length, BAR_POSITIONS - 1),
                    offset + BAR_POSITIONS + min(length, BAR_POSITIONS) - 1,
                ]
                offset += 2 * BAR_POSITIONS
            for count in options.look_back:
                lag, run = count * length, 0
                while (
                    run < MAX_RUN and step - 1 - run - lag >= 0 and line[step - 1 - run] == line[step - 1 - run - lag]
                ):
                    run += 1
                columns.append(offset + (line[step - lag] if step >= lag else vocabulary))
                columns.append(offset + vocabulary + 1 + run)
                offset += vocabulary + 1 + MAX_RUN + 1
            steps.append(columns)
        rows.append(steps)
    return np.array(rows)


@pytest.mark.parametrize("look_back", [(), (1,), (1, 2, 4)])
@pytest.mark.parametrize("bar_position", [True, False])
def test_whole_sequences_and_single_steps_equal_rows_by_hand(look_back, bar_position):
    options = NetworkOptions(bar_position=bar_position, look_back=look_back)
    features = Features(options, 7)
    tokens = np.random.default_rng(1).integers(0, 2, (4, 70))
    expected = rows_by_hand(options, 7, tokens, MIXED)
    np.testing.assert_array_equal(features.encode(tokens, MIXED), expected)
    assert expected.shape[2] == features.columns
    assert expected.max() < features.rows

    rows, state = features.first(4, MIXED)
    stepped = [rows]
    for step in range(69):
        rows, state = features.next(tokens[:, step], state)
        stepped.append(rows)
    np.testing.assert_array_equal(np.stack(stepped, axis=1), expected)


def test_a_state_can_be_continued_twice():
    features = Features(NetworkOptions(), 7)
    _, state = features.first(1)
    for token in range(7):
        _, state = features.next(np.array([token]), state)
    once, _ = features.next(np.array([3]), state)
    features.next(np.array([5]), state)
    again, _ = features.next(np.array([3]), state)
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("bars", [MIXED, Bars.common_time(4)], ids=["several meters", "one meter"])
@pytest.mark.parametrize("changes", [{}, {"repeat_features": 2, "melodic": True}])
def test_the_state_of_some_melodies_is_that_of_those_from_the_start(bars, changes):
    features = Features(NetworkOptions(look_back=(1, 2), **changes), 7)
    tokens, chosen = np.random.default_rng(2).integers(0, 3, (4, 60)), np.array([3, 0, 0, 2, 3])
    expected = features.encode(tokens[chosen], bars[chosen])
    _, state = features.first(4, bars)
    for step in range(40):
        _, state = features.next(tokens[:, step], state)
    state = state.take_rows(chosen)
    for step in range(40, 59):
        rows, state = features.next(tokens[chosen, step], state)
        np.testing.assert_array_equal(rows, expected[:, step + 1])


@pytest.mark.parametrize("tokens", [np.array([[7]]), np.array([[-1]]), np.array([1, 2]), np.array([[0.5]])])
def test_invalid_tokens_are_refused(tokens):
    with pytest.raises(UsageError):
        Features(NetworkOptions(), 7).encode(tokens)


def history_of(tokens, max_context=999):
    past = TokenHistory.empty(len(tokens))
    for column in np.asarray(tokens).T:
        past = past.append(column, max_context)
    return past


def match(line, place):
    """How many tokens before `place` equal those at the end, counted."""
    length = 0
    while place - 1 - length >= 0 and line[place - 1 - length] == line[len(line) - 1 - length]:
        length += 1
    return min(length, MAX_MATCH)


@pytest.mark.parametrize("kinds", [1, 2, 4])
def test_matches_equal_those_counted_one_by_one(kinds):
    lines = np.random.default_rng(kinds).integers(0, kinds, (3, 130))
    for length in (1, 2, 50, 130):
        found = history_of(lines[:, :length]).matches
        expected = [[match(line[:length], place) for place in range(length)] for line in lines]
        np.testing.assert_array_equal(found, expected)


def test_the_history_is_cut_but_matches_are_counted_beyond():
    lines = np.random.default_rng(0).integers(0, 2, (2, 60))
    whole, near = history_of(lines), history_of(lines, max_context=10)
    np.testing.assert_array_equal(near.tokens, lines[:, -10:])
    np.testing.assert_array_equal(near.matches, whole.matches[:, -10:])


def test_a_history_is_immutable():
    before = history_of([[1, 2, 1]])
    kept = before.tokens.copy(), before.matches.copy()
    before.append(np.array([2]), max_context=2)
    np.testing.assert_array_equal(before.tokens, kept[0])
    np.testing.assert_array_equal(before.matches, kept[1])


def test_continuations_come_from_the_longest_match_and_of_equals_the_latest():
    # 7 8 1, 8 2, 8 3, 7 8: after "7 8" came 1; after "8" alone 2, and later 3.
    tokens, kinds = history_of([[7, 8, 1, 8, 2, 8, 3, 7, 8]]).continuations(4, missing=38)
    assert tokens.tolist() == [[1, 3, 2, 38]]
    assert kinds.tolist() == [[2, 1, 1, 0]]


@pytest.mark.parametrize("line", [[], [4], [1, 2, 3]])
def test_melodies_without_repetition_have_no_continuation(line):
    tokens, kinds = history_of(np.array([line], dtype=np.int64)).continuations(2, missing=38)
    assert (tokens.tolist(), kinds.tolist()) == ([[38, 38]], [[0, 0]])


def test_a_repeated_token_continues_itself():
    tokens, kinds = history_of(np.full((1, 300), 5), max_context=200).continuations(2, missing=38)
    assert (tokens.tolist(), kinds.tolist()) == ([[5, 38]], [[MATCH_BINS - 1, 0]])


def test_no_melody_and_far_distances():
    assert history_of(np.zeros((0, 5), dtype=np.int64)).continuations(2, missing=38)[0].shape == (0, 2)
    kinds = distance_bins(np.arange(10_000))
    assert (np.diff(kinds) >= 0).all()
    assert set(kinds.tolist()) == set(range(DISTANCE_BINS))


def test_repeat_features_before_each_step():
    features = Features(NetworkOptions(bar_position=False, look_back=(), repeat_features=1), vocabulary_size=10)
    rows = features.encode(np.array([[5, 7, 9, 5, 7]]))
    tokens, bins = rows[0, :, 1] - 11, rows[0, :, 2] - 22  # after 11 rows of tokens and 11 of repeat features
    assert tokens.tolist() == [10, 10, 10, 10, 7]  # at the last step 5 was repeated, and 7 had followed it
    assert bins.tolist() == [0, 0, 0, 0, 1]
    assert features.rows == 11 + 11 + MATCH_BINS
