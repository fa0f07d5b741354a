"""A small study whose clips make no sound, and answers to it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from cantilena.listening import Answers, Clip, Habits, Study, Truth, digest_of, rehearse
from cantilena.listening.orders import sessions

ARMS = ("human", "lstm", "tuned")
SHARES = (0.75, 0.25, 0.5)


def silent_study(arms: tuple[str, ...] = ARMS, clips: int = 30, listeners: int = 40, heard: int = 6) -> Study:
    names = {(arm, n): hashlib.sha256(f"{arm}{n}".encode()).hexdigest()[:16] for arm in arms for n in range(clips)}
    others = {role: hashlib.sha256(role.encode()).hexdigest()[:16] for role in ("anchor", "attention")}
    made = [Clip(names[arm, n], "item", arm, 15.0, -23.0, "", f"{arm}/{n}.mid") for arm in arms for n in range(clips)]
    made += [Clip(others[role], role, "", 15.0, -23.0, "") for role in ("anchor", "attention")]
    order = sessions(
        [[names[arm, n] for n in range(clips)] for arm in arms], heard, listeners, np.random.default_rng(1),
        anchors=[others["anchor"]], attention=others["attention"],
    )  # fmt: skip
    study = Study("A rehearsal", arms, tuple(made), order)
    return Study(**{**vars(study), "digest": digest_of(study)})


@pytest.fixture(scope="session")
def study() -> Study:
    return silent_study()


@pytest.fixture(scope="session")
def answers(study: Study) -> Answers:
    return rehearse(study, Truth(SHARES), 40, seed=1, habits=Habits(careless=0.1))
