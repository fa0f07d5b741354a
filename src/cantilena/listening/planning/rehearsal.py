"""A rehearsal: simulated listeners answer a real study file, so that its analysis is seen before anybody is asked.

Their names begin with `simulated-`, their table says so in every row, and no analysis counts them together with people.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from cantilena.errors import UsageError
from cantilena.listening.analysis.answers import Answers, Given, Listener
from cantilena.listening.planning.simulation import Truth, answers
from cantilena.listening.study.study import Slot, Study
from cantilena.runtime import generator

_YEARS = 4.0
"""Mean years of training of simulated listeners."""


@dataclass(frozen=True)
class Habits:
    """What else simulated listeners do.

    Args:
        careless: share of listeners who answer by chance and fail checks.
        known: share of human clips whose piece a listener knows.
    """

    careless: float = 0.05
    known: float = 0.02


def rehearse(study: Study, truth: Truth, listeners: int, seed: int, habits: Habits | None = None) -> Answers:
    """Simulated answers to a study.

    Args:
        study: the study.
        truth: what simulated listeners are like; a share for each arm.
        listeners: how many; as many as the study has sessions at the most.
        seed: of all their answers.
        habits: what else they do.

    Raises:
        UsageError: more listeners than sessions, or not a share for each arm.
    """
    habits = habits or Habits()
    if len(truth.shares) != len(study.arms):
        raise UsageError("not a share for each arm", f"give one for each of {', '.join(study.arms)}")
    if not 1 <= listeners <= len(study.sessions):
        raise UsageError(
            f"{listeners} listeners for {len(study.sessions)} sessions",
            "rehearse with as many as the study is made for",
        )
    items = study.items
    number = {clip.id: place for place, clip in enumerate(items)}
    arm_of_clip = np.array([study.arms.index(clip.arm) for clip in items])
    asked = [(who, place, slot) for who in range(listeners) for place, slot in enumerate(study.sessions[who])]
    heard = [(who, slot) for who, _, slot in asked if slot.clip in number]
    said, confidence = answers(
        truth,
        np.array([who for who, _ in heard]),
        np.array([number[slot.clip] for _, slot in heard]),
        arm_of_clip,
        generator(seed, "rehearsal"),
    )
    impressions = iter(zip(said.tolist(), confidence.tolist(), strict=True))
    rng = generator(seed, "habits")
    careless = rng.random(listeners) < habits.careless
    given = [
        _answer(study, who, place, slot, next(impressions) if slot.clip in number else None,
                careless=bool(careless[who]), known=habits.known, rng=rng)
        for who, place, slot in asked
    ]  # fmt: skip
    people = tuple(
        Listener(study.digest, _name(who), who, simulated=True, consent=True,
                 years_of_training=round(float(rng.exponential(_YEARS)), 1),
                 headphones=bool(not careless[who] or rng.random() < 0.5))
        for who in range(listeners)
    )  # fmt: skip
    return Answers(people, tuple(given))


def _name(who: int) -> str:
    return f"simulated-{who + 1:03}"


def _answer(
    study: Study,
    who: int,
    place: int,
    slot: Slot,
    impression: tuple[bool, int] | None,
    *,
    careless: bool,
    known: float,
    rng: np.random.Generator,
) -> Given:
    clip = study.clip(slot.clip)
    told = impression or (False, 4)  # anchors and the check are heard for what they are
    chance = (bool(rng.random() < 0.5), int(rng.integers(1, 5)))
    human, confidence = chance if careless else told
    heard = clip.seconds * (rng.uniform(0.2, 1.0) if careless else rng.uniform(0.8, 1.3))
    knows = clip.arm == study.arms[0] and slot.kind == "item" and rng.random() < known
    rated = partial(_rating, liked=human, rng=rng)
    return Given(
        _name(who), place, slot.kind, slot.clip, "human" if human else "computer", confidence, bool(knows),
        round(float(heard), 2), rated(), rated(),
    )  # fmt: skip


def _rating(*, liked: bool, rng: np.random.Generator) -> int:
    return int(np.clip(round(4 + (0.7 if liked else -0.7) + rng.normal(0, 1.3)), 1, 7))
