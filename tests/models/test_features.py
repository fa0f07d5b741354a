"""Features against a plain loop, and one step at a time against whole sequences."""

import numpy as np
import pytest

from cantilena.errors import UsageError
from cantilena.models import Bars, Features, NetworkOptions
from cantilena.models.network.features import LONGEST_RUN, PLACES

MIXED = Bars(np.array([16, 12, 5, 200]), np.array([0, 4, 0, 2]))


def plainly(options, vocabulary, tokens, bars):
    """The rows of one step, written as a person would say them."""
    rows = []
    for melody, line in enumerate(tokens.tolist()):
        length, pickup = int(bars.steps_per_bar[melody]), int(bars.pickup[melody])
        steps = []
        for step in range(len(line)):
            columns, offset = [line[step - 1] if step else vocabulary], vocabulary + 1
            if options.bar_position:
                columns += [
                    offset + min((step - pickup) % length, PLACES - 1),
                    offset + PLACES + min(length, PLACES) - 1,
                ]
                offset += 2 * PLACES
            for count in options.look_back:
                lag, run = count * length, 0
                while (
                    run < LONGEST_RUN
                    and step - 1 - run - lag >= 0
                    and line[step - 1 - run] == line[step - 1 - run - lag]
                ):
                    run += 1
                columns.append(offset + (line[step - lag] if step >= lag else vocabulary))
                columns.append(offset + vocabulary + 1 + run)
                offset += vocabulary + 1 + LONGEST_RUN + 1
            steps.append(columns)
        rows.append(steps)
    return np.array(rows)


@pytest.mark.parametrize("look_back", [(), (1,), (1, 2, 4)])
@pytest.mark.parametrize("bar_position", [True, False])
def test_whole_sequences_and_single_steps_agree_with_a_plain_loop(look_back, bar_position):
    options = NetworkOptions(bar_position=bar_position, look_back=look_back)
    features = Features(options, 7)
    tokens = np.random.default_rng(1).integers(0, 2, (4, 70))
    expected = plainly(options, 7, tokens, MIXED)
    np.testing.assert_array_equal(features.of(tokens, MIXED), expected)
    assert expected.shape[2] == features.columns
    assert expected.max() < features.rows

    rows, memory = features.first(4, MIXED)
    stepped = [rows]
    for step in range(69):
        rows, memory = features.next(tokens[:, step], memory)
        stepped.append(rows)
    np.testing.assert_array_equal(np.stack(stepped, axis=1), expected)


def test_a_memory_can_be_continued_twice():
    features = Features(NetworkOptions(), 7)
    _, memory = features.first(1)
    for token in range(7):
        _, memory = features.next(np.array([token]), memory)
    once, _ = features.next(np.array([3]), memory)
    features.next(np.array([5]), memory)
    again, _ = features.next(np.array([3]), memory)
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("tokens", [np.array([[7]]), np.array([[-1]]), np.array([1, 2]), np.array([[0.5]])])
def test_tokens_that_are_none_are_refused(tokens):
    with pytest.raises(UsageError):
        Features(NetworkOptions(), 7).of(tokens)
