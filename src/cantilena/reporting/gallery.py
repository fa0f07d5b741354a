"""The figures of a report, each with its title and caption."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cantilena.io import score_with_timemap
from cantilena.metrics.registry import DISTANCE, DIVERSITY, RULES, get_metric, in_order
from cantilena.reporting import figures
from cantilena.reporting.data import HUMAN, ReportData
from cantilena.reporting.scores import ShownScore
from cantilena.reporting.sections import two_sample_rows
from cantilena.runtime import write_bytes, write_text


@dataclass(frozen=True)
class Drawing:
    """A figure with its words.

    Args:
        name: of its file, without suffix; unique in a report.
        title: of the figure.
        caption: how to read it.
        figure: the figure.
        panels: the same in parts, which a narrow page shows one below the other.
        colours: of the systems, for the legend beside the panels.
    """

    name: str
    title: str
    caption: str
    figure: figures.Figure
    panels: tuple[figures.Figure, ...] = ()
    colours: Mapping[str, str] = field(default_factory=dict)

    @property
    def svgs(self) -> tuple[str, ...]:
        """The panels, or the whole figure, as SVG elements for a page."""
        if not self.panels:
            return (figures.svg_text(self.figure, self.name),)
        return tuple(figures.svg_text(one, f"{self.name}-{at}") for at, one in enumerate(self.panels, start=1))

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return bool(self.panels) or bool(self.figure.get_figwidth() > 8)


def drawings(data: ReportData) -> tuple[Drawing, ...]:
    """The figures for which there is data: the paper's 8, 9 and 10, then further ones."""
    return (
        *_probabilities(data),
        *_rewards(data),
        *_distributions(data),
        *_similarity(data),
        *_metrics(data),
        *_learning(data),
    )


def two_sample_drawing(data: ReportData) -> Drawing | None:
    """The accuracy of the classifier two-sample test by the length of excerpts; None if it was not run."""
    lengths = {row.system: row.lengths for row in two_sample_rows(data.two_sample)}
    if not any(one.accuracy is not None for rows in lengths.values() for one in rows):
        return None
    return Drawing(
        "listener",
        "Accuracy by length",
        "The accuracy of the classifiers on held-out excerpts, with 95 % intervals. The dotted line is chance.",
        figures.accuracy_by_length(lengths),
    )


def write_gallery(folder: Path, shown: tuple[Drawing, ...], scores: tuple[ShownScore, ...]) -> None:
    """Write figures as PNG and scores as SVG into a folder, which is created if missing."""
    for drawing in shown:
        write_bytes(folder / f"{drawing.name}.png", figures.png_bytes(drawing.figure))
    for score in scores:
        write_text(folder / f"{score.name}.svg", score_with_timemap(score.melody).svg)


def _probabilities(data: ReportData) -> Iterator[Drawing]:
    numbers = {name: str(8 + index) for pair in data.tuned[:1] for index, name in enumerate(pair)}
    for index, one in enumerate(data.probabilities):
        number = numbers.pop(one.name, "")
        yield Drawing(
            f"figure-{number}" if number else f"probabilities-{index + 1}",
            (f"Figure {number}: note" if number else "Note") + f" probabilities of {one.name}",
            "Each column is a step of one melody, each row a token; the brighter, the more probable. A circle marks "
            "the token that was taken.",
            figures.note_probabilities(one),
        )


def _rewards(data: ReportData) -> Iterator[Drawing]:
    for index, history in enumerate(data.rewards):
        if len(history.steps):
            yield Drawing(
                "figure-10" if index == 0 else f"rewards-{index + 1}",
                ("Figure 10: " if index == 0 else "") + f"rewards of {history.name} during tuning",
                "Above, the mean reward a melody by rule, on a scale that is logarithmic beyond ten. Below, the "
                "log-likelihood under the untuned model (log p), and the KL divergence from it (KL).",
                figures.reward_history(history),
            )


def _distributions(data: ReportData) -> Iterator[Drawing]:
    known = [one for one in data.distributions if one.values]
    if known:
        names = dict.fromkeys(name for one in known for name in one.values)
        colours = figures.colours_of(sorted(names, key=lambda name: name != HUMAN))
        yield Drawing(
            "distributions",
            "Distributions of features",
            "The share of melodies by the value of each feature. The grey shape is that of human melodies; where a "
            "line leaves it, a system composes what human composers do not.",
            figures.distribution_panels(known),
            tuple(figures.distribution_panels([one], legend=False, colours=colours) for one in known),
            colours,
        )


def _similarity(data: ReportData) -> Iterator[Drawing]:
    measured = [one for one in data.similarity if one.melodies]
    if measured:
        scale = figures.scale_of(measured)
        low, high = (f"{100 * bound:.0f}" for bound in scale)
        yield Drawing(
            "likeness-after",
            "Self-similarity by distance",
            "The similarity of each bar to the one so many bars before, in rhythm and direction. The grey band has "
            "eight in ten human melodies. Phrases of four bars are peaks at 4, 8 and 12.",
            figures.similarity_by_distance(measured),
        )
        yield Drawing(
            "likeness-maps",
            "Self-similarity matrices",
            "Rows and columns are the bars of a melody; the brighter, the more similar two bars are. Left the mean of "
            f"all melodies (from {low} % to {high} %), right one of them (from 0 to 100 %).",
            figures.similarity_maps(measured),
            tuple(figures.similarity_maps([one], scale) for one in measured),
        )


def _metrics(data: ReportData) -> Iterator[Drawing]:
    measured = {
        metric
        for system in data.systems.values()
        for metric, entry in system.get("metrics", {}).items()
        if entry.get("value") is not None
    }
    if {"in_motif", "distinct_4"} <= measured:
        yield Drawing(
            "rules-and-diversity",
            "Rules and diversity",
            "A model that always plays one good melody has many notes in a motif, but no diversity: it is at the top "
            "left. At the top right both are high.",
            figures.rules_and_diversity(data.systems),
        )
    shown = [name for name in in_order(measured) if get_metric(name).group in (RULES, DIVERSITY, DISTANCE)]
    if shown:
        yield Drawing(
            "metrics",
            "All systems by metric",
            "Dots are values, bars 95 % intervals, the dotted line the held-out human melodies. An arrow is the "
            "direction that the rule asks for; human melodies show how far music goes.",
            figures.metric_panels(data.systems, shown),
        )


def _learning(data: ReportData) -> Iterator[Drawing]:
    curves = [curve for curve in data.curves if len(curve.train) or len(curve.valid)]
    if curves:
        yield Drawing(
            "learning",
            "Learning curves",
            "The loss in nats a step after each epoch. Where the training loss (dashed) falls and the validation loss "
            "rises, a network overfits.",
            figures.learning_curves(curves),
        )
