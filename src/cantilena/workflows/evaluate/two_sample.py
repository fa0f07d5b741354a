"""The classifier two-sample tests of an evaluation, in parallel processes.

Each process has one thread: several that train boosted trees on the same processors wait for each other at every node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.discriminators.options import TwoSampleOptions
from cantilena.errors import RunError
from cantilena.music import Line
from cantilena.runtime import Failure, bounded_map, progress
from cantilena.workflows.evaluate.melody_sets import MelodySet
from cantilena.workflows.evaluate.options import EvaluateOptions

_BARS = (16, 8, 4, 2, 1)
"""Lengths of the excerpts, the slowest first."""
_STEPS_PER_BAR = 16
"""Excerpts are cut by bars of 4/4."""
_SECONDS, _MEMORY = 24 * 3600.0, 2**46
"""No limits in practice: the melodies have been read, and CUDA maps more memory than a machine has."""


@dataclass(frozen=True)
class _Task:
    """One test of a system: on whole melodies, or on the first bars if `bars` is not 0."""

    system: str
    bars: int
    human: Line
    pieces: NDArray[np.generic]
    generated: Line
    generated_pieces: NDArray[np.generic]
    options: TwoSampleOptions


def two_sample_tests(
    reference: MelodySet, systems: Sequence[MelodySet], options: EvaluateOptions
) -> dict[str, Mapping[str, Any]]:
    """How well classifiers tell each system from human melodies, whole and by their first bars, as JSON values.

    Raises:
        RunError: a process failed.
    """
    chosen = TwoSampleOptions(seed=options.seed, device=options.device)
    tasks = [
        _Task(one.name, bars, reference.line, reference.pieces, one.line, one.pieces, chosen)
        for bars in (0, *_BARS)
        for one in systems
    ]
    results: dict[tuple[str, int], dict[str, Any]] = {}
    with progress("Training classifiers", total=len(tasks), unit="tests") as bar:
        for index, result in bounded_map(_run, tasks, jobs=options.jobs, seconds=_SECONDS, memory=_MEMORY):
            task = tasks[index]
            if isinstance(result, Failure):
                raise RunError(f"the classifiers of {task.system} failed: {result.reason}", result.hint)
            results[task.system, task.bars] = result
            bar.advance(1, task.system)
    return {
        one.name: {**results[one.name, 0], "by_bars": [results[one.name, bars] for bars in sorted(_BARS)]}
        for one in systems
    }


def _run(task: _Task) -> dict[str, Any]:
    from cantilena.discriminators import classifier_two_sample_test, two_sample_tests_by_bars  # imports scikit-learn

    sides = task.human, task.pieces, task.generated
    if not task.bars:
        result = classifier_two_sample_test(*sides, task.options, generated_pieces=task.generated_pieces, quiet=True)
        return result.to_json()
    (row,) = two_sample_tests_by_bars(
        *sides,
        _STEPS_PER_BAR,
        (task.bars,),
        options=task.options,
        generated_pieces=task.generated_pieces,
        quiet=True,
    )
    return row.to_json()
