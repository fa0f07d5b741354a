"""The machine listener, asked of each system: does it tell the system's melodies from people's?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cantilena.discriminators import ListenerOptions, by_length, listen
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.options import EvaluateOptions

_STEPS_PER_BAR = 16
"""Excerpts are cut by bars of 4/4."""


def listen_to(
    people: MelodySet, systems: Sequence[MelodySet], options: EvaluateOptions
) -> dict[str, Mapping[str, Any]]:
    """What the machine listener found of each system, as JSON values; the controls are in it.

    Args:
        people: people's melodies, labelled by piece.
        systems: the others.
        options: seed and device.
    """
    asked = ListenerOptions(seed=options.seed, device=options.device)
    found: dict[str, Mapping[str, Any]] = {}
    for one in systems:
        heard = listen(people.line, people.pieces, one.line, asked, generated_pieces=one.pieces)
        rows = by_length(
            people.line, people.pieces, one.line, _STEPS_PER_BAR, options=asked, generated_pieces=one.pieces
        )
        found[one.name] = {**heard.to_json(), "by_bars": [row.to_json() for row in rows]}
    return found
