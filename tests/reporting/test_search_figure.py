"""The picture of a search, whatever its trials came to."""

from __future__ import annotations

import pytest

from cantilena.reporting.figures import SearchedParameter, png_bytes, search_panels

WIDTH, RATE = [8, 16, 24, 32], [1e-3, 1e-2, 2e-2, 5e-2]


@pytest.mark.parametrize(
    ("losses", "finished"),
    [
        ([1.0, 1.2, 0.9, 40.0], [True, True, True, False]),
        ([1.0, 1.0, 1.0, 1.0], [True] * 4),
        ([2.0, 1.2, 0.9, 0.4], [False] * 4),
        ([1.0, 1e9, 0.9, 0.4], [True, True, False, False]),
    ],
)
def test_all_trials_are_shown(losses: list[float], finished: list[bool]) -> None:
    parameters = [
        SearchedParameter("width", WIDTH),
        SearchedParameter("learning_rate", RATE, log=True),
        SearchedParameter("look_back", ["none", "1 2", "none", "1 2"], choices=("none", "1 2")),
        SearchedParameter("a$b_" * 20, [1, 1, 1, 1]),
    ]
    figure = search_panels([0, 1, 2, 5], losses, finished, parameters)
    assert len(figure.axes) == 5
    for axes in figure.axes:
        dots = [line for line in axes.lines if line.get_marker() in ("o", "^", "*")]
        assert sum(len(line.get_xdata()) for line in dots) == 4
    assert png_bytes(figure) == png_bytes(search_panels([0, 1, 2, 5], losses, finished, parameters))


def test_one_trial_or_none() -> None:
    assert png_bytes(search_panels([0], [1.0], [True], [SearchedParameter("width", [8])]))
    assert png_bytes(search_panels([], [], [], [SearchedParameter("width", [])]))


def test_the_line_is_the_best_finished_so_far() -> None:
    figure = search_panels([0, 1, 2, 3], [1.0, 0.2, 0.9, 1.5], [True, False, True, True], [])
    line = next(line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post")
    assert list(line.get_ydata()) == [1.0, 1.0, 0.9, 0.9]


def test_nothing_is_drawn_lower_than_it_is() -> None:
    losses, finished = [1.02, 0.96, 0.94, 0.94, 0.95, 7.0, 9.0], [True, True, True, True, True, True, False]
    history = search_panels(list(range(7)), losses, finished, []).axes[0]
    heights = {
        int(x): float(y)
        for line in history.lines
        if line.get_marker() in ("o", "^", "*")
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    edge = heights[6]
    assert heights[5] == edge < 7.0
    for number, loss in enumerate(losses):
        assert heights[number] == loss or heights[number] == edge > max(y for y in heights.values() if y != edge)
