"""A model, the rules and people's melodies, read and checked before a folder is taken or an earlier run cleared."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cantilena.models import Bundle, find_bundle
from cantilena.rl import CriticPeople, MusicReward, TuningOptions, check_tunable, music_reward
from cantilena.rules import RuleSet
from cantilena.rules.user import file_of
from cantilena.runtime import json_text, say
from cantilena.workflows.data import Excerpts
from cantilena.workflows.people import people_beside
from cantilena.workflows.tune.critic_people import critic_people


@dataclass(frozen=True)
class Tunable:
    """What a tuning begins with.

    Args:
        bundle: the trained model.
        digests: of its file, and of the rules where they are in files: what has changed under its name is another, and
            a run of the one is not gone on with as the other.
        reward: the rules, in the key that the model thinks in.
        people: people's melodies to hold its own beside; None where none are at hand.
        critic_people: people's melodies for the listeners that reward and that stop; None without a critic.
    """

    bundle: Bundle
    digests: Mapping[str, str]
    reward: MusicReward
    people: Excerpts | None
    critic_people: CriticPeople | None = None


def open_tunable(name: str, options: TuningOptions, against: str = "") -> Tunable:
    """Read all that a tuning begins with, and refuse what cannot be.

    Args:
        name: a bundle, by path or by the name of one that ships with the package.
        options: how it shall be tuned.
        against: the corpus of people's melodies; the one that the model learned where empty.

    Raises:
        BundleError: there is no such model.
        CorpusError: the corpus cannot be read.
        UsageError: no name, rules that do not exist, a model or a device that cannot be tuned so; a critic, and no
            melodies of people.
    """
    path = find_bundle(name)
    bundle = Bundle.load(path)
    if bundle.ngram is not None:
        say("This model blends a network with an n-gram, which learns nothing further: the network alone is tuned")
        bundle = bundle.unblended()
    check_tunable(bundle, options)
    reward = music_reward(bundle, options)
    listened = critic_people(bundle, reward.context, options.steps, against) if options.critic.critic else None
    people = people_beside(bundle, options.steps, against)
    digests = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if any(ending in options.rules for ending in (".py", ".toml")):
        digests["rules_sha256"] = _digest(reward.rules)
    return Tunable(bundle, digests, reward, people, listened)


def _digest(rules: RuleSet) -> str:
    """Of the names, weights and parameters of rules, and of the files that hold them."""
    said: list[object] = []
    for rule in rules.rules:
        place = file_of(rule)
        code = hashlib.sha256(place[0].read_bytes()).hexdigest() if place is not None else ""
        said.append([rule.name, rule.weight, dict(rule.parameters), code])
    return hashlib.sha256(json_text(said).encode()).hexdigest()
