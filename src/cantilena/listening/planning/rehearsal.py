"""Rehearse a study: simulated listeners answer its trials, so that the analysis can be checked beforehand.

Their names begin with `simulated-`, every row marks them as simulated, and they are never analysed together with human
listeners.
"""

from __future__ import annotations

import numpy as np

from cantilena.errors import UsageError
from cantilena.listening.analysis.answers import Answer, AnswerTables, Listener
from cantilena.listening.planning.simulation import ListenerModel, simulate_answers
from cantilena.listening.study.study import Study, Trial
from cantilena.runtime import generator

_MEAN_YEARS = 4.0
"""Mean years of musical training of simulated listeners."""


def rehearse(
    study: Study, model: ListenerModel, listeners: int, seed: int, *, careless: float = 0.05, known: float = 0.02
) -> AnswerTables:
    """Simulate answers to a study.

    Args:
        study: the study.
        model: parameters of the listeners, with a share for each arm.
        listeners: number of listeners, at most the number of sessions.
        seed: random seed.
        careless: share of listeners who answer at random and fail checks.
        known: share of human clips whose piece a listener knows.

    Raises:
        UsageError: there are more listeners than sessions, or not one share per arm.
    """
    if len(model.shares) != len(study.arms):
        raise UsageError(
            f"{len(model.shares)} shares for {len(study.arms)} arms", f"give one for each of {', '.join(study.arms)}"
        )
    if not 1 <= listeners <= len(study.sessions):
        raise UsageError(
            f"{listeners} listeners for {len(study.sessions)} sessions", f"give 1 to {len(study.sessions)} listeners"
        )
    index_of = {clip.id: index for index, clip in enumerate(study.items)}
    trials = [
        (listener, position, trial)
        for listener in range(listeners)
        for position, trial in enumerate(study.sessions[listener])
    ]
    items = [(listener, index_of[trial.clip]) for listener, _, trial in trials if trial.clip in index_of]
    said_human, confidence = simulate_answers(
        model,
        np.array([listener for listener, _ in items]),
        np.array([clip for _, clip in items]),
        np.array([study.arms.index(clip.arm) for clip in study.items]),
        generator(seed, "rehearsal"),
    )
    perceived = iter(zip(said_human.tolist(), confidence.tolist(), strict=True))
    rng = generator(seed, "habits")
    is_careless = rng.random(listeners) < careless
    answers = []
    for listener, position, trial in trials:
        # Anchors and the attention check are recognised with certainty.
        truth = next(perceived) if trial.clip in index_of else (False, 4)
        answers.append(_answer(study, listener, position, trial, truth, bool(is_careless[listener]), known, rng))
    rows = tuple(
        Listener(study.digest, _name(listener), listener, simulated=True, consent=True,
                 years_of_training=round(float(rng.exponential(_MEAN_YEARS)), 1),
                 headphones=bool(not is_careless[listener] or rng.random() < 0.5))
        for listener in range(listeners)
    )  # fmt: skip
    return AnswerTables(rows, tuple(answers))


def _name(listener: int) -> str:
    return f"simulated-{listener + 1:03}"


def _answer(
    study: Study,
    listener: int,
    position: int,
    trial: Trial,
    perceived: tuple[bool, int],
    careless: bool,
    known: float,
    rng: np.random.Generator,
) -> Answer:
    clip = study.clip(trial.clip)
    at_random = (bool(rng.random() < 0.5), int(rng.integers(1, 5)))
    human, confidence = at_random if careless else perceived
    seconds = clip.seconds * (rng.uniform(0.2, 1.0) if careless else rng.uniform(0.8, 1.3))
    knows_piece = clip.arm == study.arms[0] and trial.kind == "item" and rng.random() < known

    def rating() -> int:
        return int(np.clip(round(4 + (0.7 if human else -0.7) + rng.normal(0, 1.3)), 1, 7))

    return Answer(
        _name(listener), position, trial.kind, trial.clip, "human" if human else "computer", confidence,
        bool(knows_piece), round(float(seconds), 2), rating(), rating(),
    )  # fmt: skip
