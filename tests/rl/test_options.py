"""Tuning options: ranges and combinations."""

from __future__ import annotations

import math
from typing import Any

import pytest

from cantilena.errors import UsageError
from cantilena.rl import CriticOptions, NoteOptions, PolicyOptions, TuningOptions, ValueOptions, WatchOptions
from cantilena.runtime import options_record

CRITIC = CriticOptions(critic=True)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        *((TuningOptions, wrong) for wrong in (
            {"c": 1e-30}, {"clip": math.inf}, {"max_norm": math.inf}, {"max_norm": math.nan}, {"seed": -1},
            {"seed": 2**63}, {"updates": 0}, {"melodies": 1}, {"steps": 7}, {"learning_rate": 1.0}, {"target_kl": 0.0},
            {"weights": ("tonic=inf",)}, {"weights": ("tonic=nan",)}, {"weights": ("tonic=1e308",)},
            {"weights": ("swing",)}, {"algorithm": "sarsa"}, {"algorithm": "rloo", "reference_mode": True},
            {"rules": "none"}, {"policy": PolicyOptions(group=5)},
        )),
        *((CriticOptions, wrong) for wrong in (
            {"critic_weight": 0.0}, {"critic_weight": math.nan}, {"critic_every": 0}, {"critic_lessons": 0},
            {"critic_start": -1}, {"critic_members": 0}, {"critic_members": 33}, {"critic_clip": 0.0},
            {"critic_replay": 3},
        )),
        *((ValueOptions, wrong) for wrong in (
            {"gamma": 1.1}, {"target_rate": 0.0}, {"replay": 0}, {"updates_per_batch": 0}, {"priority": -0.1},
            {"priority_correction": 2.0}, {"epsilon": 0.1, "epsilon_end": 0.2}, {"exploration": "curiosity"},
            {"exploration_temperature": 0.5}, {"exploration_share": 0.0},
        )),
        *((PolicyOptions, wrong) for wrong in (
            {"group": 1}, {"entropy_bonus": -1.0}, {"ratio_clip": 1.0}, {"passes": 0}, {"minibatches": 0}, {"gae": 1.1},
            {"keep": 0.0},
        )),
        *((WatchOptions, wrong) for wrong in ({"look": -1}, {"watched": 3})),
        *((NoteOptions, wrong) for wrong in (
            {"tried": 1}, {"matching": -1.0}, {"matching": math.nan}, {"matching_rate": 0.0}, {"epochs": 0},
        )),
    ],
    ids=str,
)  # fmt: skip
def test_invalid_options_are_refused_with_a_hint(kind: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        kind(**wrong)
    assert refused.value.hint
    assert "\n" not in refused.value.text + refused.value.hint


def test_off_policy_algorithms_cannot_learn_from_a_critic() -> None:
    for algorithm in ("q", "double-q", "psi", "g"):
        with pytest.raises(UsageError, match="critic, whose reward changes"):
            TuningOptions(algorithm=algorithm, critic=CRITIC)  # type: ignore[arg-type]
    assert TuningOptions(rules="none", critic=CRITIC).rules == "none"


def test_defaults_depend_on_the_algorithm() -> None:
    assert (TuningOptions().c_for(), TuningOptions(algorithm="q").c_for(0.2), TuningOptions(c=7.0).c_for(0.2)) == (
        3.0,
        0.1,
        7.0,
    )
    rates = [
        TuningOptions().step_size,
        TuningOptions(algorithm="ppo").step_size,
        TuningOptions(critic=CRITIC).step_size,
    ]
    assert rates == [3e-3, 1e-3, 1e-3]


def test_defaults_of_mpo_give_way_to_what_is_given() -> None:
    usual, mpo = TuningOptions(), TuningOptions(algorithm="mpo")
    assert (usual.rules, usual.updates, usual.melodies, usual.critic.critic) == ("rl-tuner", 200, 512, False)
    assert (mpo.rules, mpo.updates, mpo.melodies, mpo.critic.critic) == ("none", 48, 48, True)
    assert (usual.critic.critic_weight, mpo.critic.critic_weight, mpo.step_size) == (5.0, 1.43, 4e-4)
    given = TuningOptions(algorithm="mpo", updates=200, rules="paper", critic=CriticOptions(critic_every=2))
    assert (given.updates, given.rules, given.critic.critic, given.critic.critic_every) == (200, "paper", True, 2)
    assert options_record(usual)["critic"]["critic_start"] == 300
    assert "notes" not in options_record(usual)
    assert options_record(TuningOptions(notes=NoteOptions(tried=6)))["notes"]["tried"] == 6
