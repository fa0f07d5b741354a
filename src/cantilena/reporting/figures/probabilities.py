"""What a model thought of the next note, step by step."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.colors import PowerNorm

from cantilena.reporting.data import NoteProbabilities
from cantilena.reporting.figures.style import STYLE, Figure, literal

_SHOWN_CLASSES = 48
"""A vocabulary larger than this is shown by its most probable tokens."""


def note_probabilities(seen: NoteProbabilities) -> Figure:
    """What a model thought at each step of a melody, and what it took: the paper's figures 8 and 9.

    Args:
        seen: the probabilities, their classes and the tokens taken.
    """
    probabilities = np.asarray(seen.probabilities, dtype=np.float64)
    steps, classes = probabilities.shape
    tokens = np.asarray(seen.tokens, dtype=np.int64)
    rows, which = np.arange(classes), "each token"
    if classes > _SHOWN_CLASSES:
        weight = probabilities.sum(axis=0) + np.bincount(tokens, minlength=classes)
        rows = np.sort(np.argsort(-weight, kind="stable")[:_SHOWN_CLASSES])
        which = f"the {_SHOWN_CLASSES} likeliest of {classes} tokens"
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(max(6.0, min(1.6 + 0.16 * steps, 12.0)), 1.1 + 0.13 * len(rows)))
        axes = figure.subplots()
        axes.grid(visible=False)
        image = axes.imshow(
            probabilities[:, rows].T,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            cmap="magma",
            norm=PowerNorm(0.5, vmin=0.0, vmax=1.0),
        )
        place = {int(row): index for index, row in enumerate(rows)}
        taken = [(step, place[token]) for step, token in enumerate(tokens.tolist()) if token in place]
        axes.plot(*zip(*taken, strict=True), "o", markersize=4, markerfacecolor="none", markeredgecolor="#58d3c4")
        axes.set_yticks(range(len(rows)), [literal(seen.classes[row]) for row in rows.tolist()], fontsize=6.5)
        axes.set(xlabel="step", title=f"{literal(seen.name)}: probability of {which}\nCircles mark what was taken")
        figure.colorbar(image, ax=axes, pad=0.01, ticks=[0, 0.01, 0.1, 0.25, 0.5, 1]).outline.set_visible(False)
    return figure
