"""The figures show the numbers they are given, take any words, and are the same each time."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from cantilena.metrics import Interval
from cantilena.metrics.self_similarity import SelfSimilarity, self_similarity
from cantilena.music import Melody
from cantilena.reporting import figures
from cantilena.reporting.data import Distribution, NoteProbabilities, ReportData, RewardHistory, TrainingCurve
from cantilena.reporting.figures import SearchedParameter, png_bytes, search_panels
from cantilena.reporting.figures.distributions import shares_by_value
from cantilena.reporting.figures.style import CYCLE, colours_of
from cantilena.reporting.gallery import Drawing, drawings, two_sample_drawing
from cantilena.reporting.html import page
from cantilena.reporting.scores import longest_repetition, shown_scores
from cantilena.reporting.sections import two_sample_rows
from cantilena.rules import Context
from cantilena.tokenizers import GridEncoding

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn(report_data: ReportData) -> tuple[Drawing, ...]:
    return drawings(report_data)


@pytest.fixture(scope="module")
def svgs(drawn: tuple[Drawing, ...]) -> dict[str, str]:
    return {
        drawing.name + (f"-{at}" if drawing.panels else ""): svg
        for drawing in drawn
        for at, svg in enumerate(drawing.svgs, start=1)
    }


def test_the_papers_figures_and_more_are_drawn(svgs: dict[str, str]) -> None:
    assert list(svgs) == [
        "figure-8", "figure-9", "figure-10", "distributions-1", "distributions-2", "likeness-after", "likeness-maps-1",
        "likeness-maps-2", "likeness-maps-3", "rules-and-diversity", "metrics", "learning",
    ]  # fmt: skip


def test_every_svg_is_well_formed_and_its_ids_are_its_own(svgs: dict[str, str]) -> None:
    seen: set[str] = set()
    for name, svg in svgs.items():
        root = ElementTree.fromstring(svg)
        ids = {element.get("id") for element in root.iter()} - {None}
        assert root.tag == f"{SVG}svg"
        assert all(identity.startswith(f"{name}-") for identity in ids)
        assert not ids & seen
        seen |= ids
        references = [value[1:] for element in root.iter() for key, value in element.items() if key.endswith("href")]
        assert {reference for reference in references if not reference.startswith("ata:")} <= ids


def test_ink_and_grid_take_the_colours_of_the_page(svgs: dict[str, str]) -> None:
    for svg in svgs.values():
        assert "currentColor" in svg
        assert "#1f2430" not in svg
        assert "#d4d7dd" not in svg.replace("var(--line, #d4d7dd)", "")
        assert not ElementTree.fromstring(svg).findall(f".//{SVG}script")


def test_words_from_outside_stay_words(svgs: dict[str, str]) -> None:
    words = "".join(ElementTree.fromstring(svgs["figure-10"]).itertext())
    assert "<script>alert(1)</script>" in words
    assert "<script" not in svgs["figure-10"]
    assert "<img" not in svgs["figure-10"]


@pytest.mark.e2e
def test_the_same_data_give_the_same_bytes(
    report_data: ReportData, drawn: tuple[Drawing, ...], svgs: dict[str, str]
) -> None:
    again = drawings(replace(report_data, results={}, distributions=[], similarity=[]))
    assert [svg for one in again for svg in one.svgs] == [
        svgs[name] for name in ("figure-8", "figure-9", "figure-10", "learning")
    ]
    png = figures.png_bytes(again[0].figure)
    assert figures.png_bytes(drawn[0].figure) == png
    assert b"Software" not in png


def test_drawing_leaves_no_trace_in_matplotlibs_settings(report_data: ReportData) -> None:
    before = dict(matplotlib.rcParams)
    figures.png_bytes(figures.reward_history(report_data.rewards[0]))
    assert dict(matplotlib.rcParams) == before


def test_the_heat_map_shows_each_probability_where_it_belongs() -> None:
    table = np.array([[0.7, 0.2, 0.1], [0.0, 0.1, 0.9]])
    axes = figures.note_probabilities(NoteProbabilities("m", table, ["off", "hold", "C4"], [0, 2])).axes[0]
    shown = axes.images[0].get_array()
    assert np.allclose(shown, table.T)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["off", "hold", "C4"]
    assert np.array_equal(axes.lines[0].get_xydata(), [[0, 0], [1, 2]])


def test_a_large_vocabulary_is_shown_by_its_most_probable_tokens() -> None:
    table = np.full((4, 500), 1e-4)
    table[:, 123] = 1.0
    axes = figures.note_probabilities(
        NoteProbabilities("m", table, [f"t{n}" for n in range(500)], [123, 7, 7, 7])
    ).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == 48
    assert {"t123", "t7"} <= set(labels)


def test_rewards_are_split_by_rule_and_added_up() -> None:
    history = RewardHistory("m", [0, 10, 20], {"key": [-1.0, -2.0, 0.0], "tonic": [3.0, 3.0, 6.0]}, kl=[0.0, 0.1, 0.2])
    rules = figures.reward_history(history).axes[0]
    lines = {line.get_label(): list(line.get_ydata()) for line in rules.lines}
    assert lines["key"] == [-1.0, -2.0, 0.0]
    assert lines["all rules"] == [2.0, 1.0, 6.0]


def test_a_panel_shows_value_interval_and_the_human_line(results: dict) -> None:
    panel = figures.metric_panels(results["systems"], ["in_motif"]).axes[0]
    points = [container.lines[0].get_xdata()[0] for container in panel.containers]
    assert points == [0.28, 0.19, 0.65]
    bars = [container.lines[2][0].get_segments()[0][:, 0] for container in panel.containers]
    assert np.allclose(bars[1], [0.18, 0.20])
    assert panel.lines[0].get_xdata()[0] == 0.28


def test_nothing_measured_draws_nothing() -> None:
    assert drawings(ReportData(results={})) == ()
    assert drawings(ReportData(results={"systems": {"lstm": {"melodies": 0, "metrics": {}}}})) == ()
    assert (
        drawings(ReportData(results={}, rewards=[RewardHistory("m", [], {})], curves=[TrainingCurve("m", [], [])]))
        == ()
    )


def test_a_history_without_rules_and_one_update_can_be_drawn() -> None:
    data = ReportData(results={}, rewards=[RewardHistory("m", [5], {}, [-1.0])], curves=[TrainingCurve("m", [1.0], [])])
    assert all("<svg" in svg for drawing in drawings(data) for svg in drawing.svgs)


def test_the_papers_scores_are_chosen_by_rule(report_data: ReportData) -> None:
    flat = Melody.from_pitches([(60, 12)] * 9)
    lstm = replace(report_data.melodies[1], melodies=[report_data.melodies[1].melodies[0], flat])
    chosen = shown_scores(replace(report_data, melodies=[lstm, report_data.melodies[2]]))
    assert [score.name for score in chosen] == ["figure-4", "figure-5", "figure-7"]
    assert chosen[1].melody is flat
    assert "9 in a row" in chosen[1].caption
    assert chosen[2].melody is report_data.melodies[2].melodies[0]
    assert longest_repetition(Melody(())) == 0


def test_every_system_of_a_page_has_a_colour_of_its_own() -> None:
    names = ["human", "lstm", "a", "lstm+rl", "b", "c", "oracle", "d"]
    colours = colours_of(names)
    assert list(colours) == names
    assert len(set(colours.values())) == len(names)
    assert colours["lstm"] == colours_of(["x", "lstm"])["lstm"]
    many = colours_of([f"s{number}" for number in range(25)])
    assert set(many.values()) == set(CYCLE)


def test_counts_are_binned_and_shares_smoothed_and_both_sum_to_one() -> None:
    rng = np.random.default_rng(3)
    places, shares, counted = shares_by_value({"human": rng.integers(0, 9, 500).astype(float), "x": np.array([4.0])})
    assert counted
    assert places.tolist() == list(range(9))
    assert shares["x"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]
    places, shares, counted = shares_by_value({"human": rng.normal(0.5, 0.1, 2000)})
    assert not counted
    assert shares["human"].sum() == pytest.approx(1)
    assert places[shares["human"].argmax()] == pytest.approx(0.5, abs=0.05)
    density = shares["human"] / (places[1] - places[0])
    assert density.max() == pytest.approx(1 / (0.1 * np.sqrt(2 * np.pi)), rel=0.1)


@pytest.mark.parametrize("values", [[], [np.nan], [3.0], [0.5] * 30, [0.0] * 30, [0.25, np.inf], [1e9, -1e9, 0.5]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    one = Distribution("x", "X", "", {"human": np.array(values), "lstm": np.array([0.5, 0.75, np.nan])})
    alone = Distribution("y", "Y", "notes", {"lstm": np.array(values)})
    figure = figures.distribution_panels([one, alone])
    assert figures.png_bytes(figure)
    shares = shares_by_value(one.values)[1]
    assert shares["lstm"].sum() == pytest.approx(1)


def test_many_systems_have_a_row_each_over_the_human_shape() -> None:
    names = ["human", *(f"system {number}" for number in range(8))]
    rng = np.random.default_rng(5)
    one = Distribution("x", "X", "", {name: rng.random(50) for name in names})
    axes = figures.distribution_panels([one]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == names[1:]
    assert len(axes.collections) == 8  # the human shape, once a row
    few = figures.distribution_panels([replace(one, values={name: one.values[name] for name in names[:4]})]).axes[0]
    assert len(few.collections) == 1
    assert len(few.lines) == 3


def test_similarity_by_distance_shows_the_human_band_and_each_system() -> None:
    line = GridEncoding().line(np.random.default_rng(2).choice([0, 1, 14, 16], (30, 160)))
    people, lstm = self_similarity("human", line, Context()), self_similarity("lstm", line[:5], Context())
    axes = figures.similarity_by_distance([people, lstm]).axes[0]
    assert len(axes.collections) == 1
    assert [line.get_label() for line in axes.lines] == ["human", "lstm"]
    assert np.array_equal(axes.lines[0].get_ydata(), people.after, equal_nan=True)
    mean, example = figures.similarity_maps([people]).axes[:2]
    assert np.allclose(mean.images[0].get_array().filled(np.nan), people.matrix, equal_nan=True)
    assert np.allclose(example.images[0].get_array().filled(np.nan), people.example, equal_nan=True)


def test_melodies_with_nothing_to_compare_can_be_drawn() -> None:
    silent = self_similarity("human", GridEncoding().line(np.zeros((2, 32), dtype=np.int64)), Context())
    assert isinstance(silent, SelfSimilarity)
    shown = drawings(ReportData(results={}, similarity=[silent]))
    assert [drawing.name for drawing in shown] == ["likeness-after", "likeness-maps"]
    assert all("<svg" in svg for drawing in shown for svg in drawing.svgs)


def test_the_accuracy_of_the_classifier_test_is_drawn_by_length(report_data: ReportData) -> None:
    drawing = two_sample_drawing(report_data)
    assert isinstance(drawing, Drawing)
    axes = drawing.figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "4"]
    assert axes.containers[0].lines[0].get_ydata().tolist() == pytest.approx([0.54, 0.58, 0.66])
    assert two_sample_drawing(ReportData(results={})) is None


def test_any_answer_of_the_classifier_test_is_read() -> None:
    (refused,) = two_sample_rows({"lstm": {"headline": None, "refused": "too few works", "p": None}})
    assert (refused.best, refused.refused, refused.p_value, refused.lengths) == (
        None,
        "too few works",
        "not tested",
        (),
    )
    (bare,) = two_sample_rows({"lstm": {"headline": "gru", "families": {"gru": {"accuracy": 0.5, "auc": None}}}})
    assert bare.best is not None
    assert bare.best.accuracy is not None
    assert (bare.best.accuracy.low, bare.best.auc) == (0.5, None)
    assert two_sample_rows({"lstm": None}) == ()


def test_the_groups_of_features_that_separate_are_a_table(report_data: ReportData) -> None:
    row = two_sample_rows(report_data.two_sample)[0]
    assert [one.name for one in row.groups] == ["form", "key"]
    assert (row.groups[0].drop, row.groups[1].drop) == (None, Interval(0.04, 0.01, 0.04))
    table = page(report_data, (), ()).partition("What separates them")[2].partition("</table>")[0]
    assert "<td>form</td><td>0.83<small>0.70 to 0.90</small></td><td></td>" in table
    assert "0.04<small>0.01 to 0.04</small>" in table
    bare = ReportData(results={}, two_sample={"lstm": {"headline": None, "refused": "too few works"}})
    assert "What separates them" not in page(bare, (), ())


def test_letters_that_the_font_lacks_are_drawn_without_a_warning() -> None:
    curve = TrainingCurve("\u65cb\u5f8b", [2.0, 1.0], [2.0, 1.5])
    assert figures.png_bytes(figures.learning_curves([curve]))
    assert "\u65cb\u5f8b" in figures.svg_text(figures.learning_curves([curve]), "x")


# The figure of a search

WIDTH, RATE = [8, 16, 24, 32], [1e-3, 1e-2, 2e-2, 5e-2]


@pytest.mark.quick_cases(1)
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
    assert png_bytes(figure)


def test_one_trial_or_none() -> None:
    first, again = (png_bytes(search_panels([0], [1.0], [True], [SearchedParameter("width", [8])])) for _ in range(2))
    assert first == again
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
