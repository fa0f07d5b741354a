"""Which figures a report shows, and what stands under each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cantilena.io import score_with_timemap
from cantilena.metrics.registry import DISTANCE, DIVERSITY, RULES, get_metric, in_order
from cantilena.reporting import figures
from cantilena.reporting.data import HUMAN, ReportData
from cantilena.reporting.scores import ShownScore
from cantilena.reporting.sections import listener_rows
from cantilena.runtime import write_bytes, write_text


@dataclass(frozen=True)
class Drawing:
    """A figure with its words.

    Args:
        name: of its file, without suffix; unique in a report.
        title: what it shows.
        caption: how to read it.
        figure: the drawing itself.
        panels: the same in parts, which a page can put one below the other where it is narrow.
        colours: of the systems, to be told beside the panels.
    """

    name: str
    title: str
    caption: str
    figure: figures.Figure
    panels: tuple[figures.Figure, ...] = ()
    colours: Mapping[str, str] = field(default_factory=dict)

    @property
    def svgs(self) -> tuple[str, ...]:
        """The panels, or the drawing as a whole, as SVG elements for a page."""
        if not self.panels:
            return (figures.svg_text(self.figure, self.name),)
        return tuple(figures.svg_text(one, f"{self.name}-{at}") for at, one in enumerate(self.panels, start=1))

    @property
    def is_wide(self) -> bool:
        """Whether it needs the whole width of a page."""
        return bool(self.panels) or bool(self.figure.get_figwidth() > 8)


def drawings(data: ReportData) -> tuple[Drawing, ...]:
    """The figures that the data allow: the paper's 8, 9 and 10, then what the paper does not show."""
    return (
        *_of_probabilities(data),
        *_of_rewards(data),
        *_of_distributions(data),
        *_of_similarity(data),
        *_of_metrics(data),
        *_of_learning(data),
    )


def listener_drawing(data: ReportData) -> Drawing | None:
    """How well the machine listener tells systems from people by the length of what it hears; None if nobody asked."""
    heard = {row.system: row.lengths for row in listener_rows(data.listener)}
    if not any(one.accuracy is not None for rows in heard.values() for one in rows):
        return None
    return Drawing(
        "listener",
        "How much it must hear",
        "The share of answers that are right on excerpts that were kept back, with 95 % intervals. At the dotted line "
        "nothing can be told.",
        figures.accuracy_by_length(heard),
    )


def write_gallery(folder: Path, shown: tuple[Drawing, ...], scores: tuple[ShownScore, ...]) -> None:
    """Write the figures as PNG and the scores as SVG, to keep.

    Args:
        folder: made if missing.
        shown: what `drawings` gave.
        scores: what `shown_scores` gave.
    """
    for drawing in shown:
        write_bytes(folder / f"{drawing.name}.png", figures.png_bytes(drawing.figure))
    for score in scores:
        write_text(folder / f"{score.name}.svg", score_with_timemap(score.melody).svg)


def _of_probabilities(data: ReportData) -> Iterator[Drawing]:
    numbers = {name: str(8 + index) for pair in data.tuned[:1] for index, name in enumerate(pair)}
    for index, seen in enumerate(data.probabilities):
        number = numbers.pop(seen.name, "")
        yield Drawing(
            f"figure-{number}" if number else f"probabilities-{index + 1}",
            (f"Figure {number}: what" if number else "What") + f" {seen.name} thought at each step",
            "Each column is a step of one melody, each row a token; the brighter, the more probable. A circle marks "
            "the token that was taken.",
            figures.note_probabilities(seen),
        )


def _of_rewards(data: ReportData) -> Iterator[Drawing]:
    for index, history in enumerate(data.rewards):
        if not len(history.steps):
            continue
        yield Drawing(
            "figure-10" if index == 0 else f"rewards-{index + 1}",
            ("Figure 10: " if index == 0 else "") + f"rewards of {history.name} while tuning",
            "Above, what each rule gave a melody, on a scale that is logarithmic beyond ten. Below, how probable the "
            "untuned model finds the melodies (log p), and how far the tuned model has moved from it (KL).",
            figures.reward_history(history),
        )


def _of_metrics(data: ReportData) -> Iterator[Drawing]:
    measured = {
        metric
        for system in data.systems.values()
        for metric, entry in system.get("metrics", {}).items()
        if entry.get("value") is not None
    }
    shown = [name for name in in_order(measured) if get_metric(name).group in (RULES, DIVERSITY, DISTANCE)]
    if {"in_motif", "distinct_4"} <= measured:
        yield Drawing(
            "rules-and-diversity",
            "Rules beside diversity",
            "Notes in a motif can be had by playing one good melody for ever. Such a model stands high and far left; "
            "up and to the right is where both hold.",
            figures.rules_and_diversity(data.systems),
        )
    if shown:
        yield Drawing(
            "metrics",
            "Every system on every metric",
            "Dots are values, bars 95 % intervals, the dotted line the held-out human melodies. An arrow says which "
            "way the rule asks; human melodies show how far music itself goes.",
            figures.metric_panels(data.systems, shown),
        )


def _of_learning(data: ReportData) -> Iterator[Drawing]:
    curves = [curve for curve in data.curves if len(curve.train) or len(curve.valid)]
    if curves:
        yield Drawing(
            "learning",
            "How the networks learned",
            "Surprise at each step, in nats, after each epoch. Where the dashed line falls and the other rises, a "
            "network learns its pieces by heart.",
            figures.learning_curves(curves),
        )


def _of_distributions(data: ReportData) -> Iterator[Drawing]:
    spread = [one for one in data.distributions if one.values]
    if spread:
        names = dict.fromkeys(name for one in spread for name in one.values)
        colours = figures.colours_of(sorted(names, key=lambda name: name != HUMAN))
        yield Drawing(
            "distributions",
            "What melodies are made of",
            "How large a share of melodies has how much of each. People's are the grey shape; where a line leaves it, "
            "a system composes what people do not.",
            figures.distribution_panels(spread),
            tuple(figures.distribution_panels([one], legend=False, colours=colours) for one in spread),
            colours,
        )


def _of_similarity(data: ReportData) -> Iterator[Drawing]:
    measured = [one for one in data.similarity if one.melodies]
    if measured:
        scale = figures.scale_of(measured)
        low, high = (f"{100 * bound:.0f}" for bound in scale)
        yield Drawing(
            "likeness-after",
            "How soon a melody comes back",
            "How like each bar is to the one so many bars before, in rhythm and in direction. The grey band holds "
            "eight in ten of people's melodies. Phrases of four bars are peaks at 4, 8 and 12.",
            figures.likeness_after(measured),
        )
        yield Drawing(
            "likeness-maps",
            "Every bar beside every bar",
            "Both ways run the bars of a melody; the brighter, the more alike two bars are. Left the mean of all "
            f"melodies (from {low} % to {high} %), right one of them (from 0 to 100 %).",
            figures.likeness_maps(measured),
            tuple(figures.likeness_maps([one], scale) for one in measured),
        )
