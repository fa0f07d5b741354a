"""A model, the rules and people's melodies, read and checked before a folder is taken or an earlier run cleared.

People's melodies for the three listeners of a tuning, three sets of pieces that have none in common.

Those that reward hear the pieces that models learn from, the one that stops a run those that training is stopped by,
and the one that judges afterwards (`critic.listen`) those that are held out: the splits of a corpus, by piece.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cantilena.data import Corpus, Split, in_plain_key, open_corpus
from cantilena.discriminators import PeoplesMelodies
from cantilena.errors import CorpusError, UsageError
from cantilena.models import Bundle, find_bundle
from cantilena.rl import CriticPeople, MusicReward, TuningOptions, check_tunable, music_reward
from cantilena.rules import Context, RuleSet
from cantilena.rules.user import file_of
from cantilena.runtime import json_text, say
from cantilena.tokenizers import Encoding, GridEncoding
from cantilena.workflows.data import Excerpts, encode_pieces, excerpts, people_beside
from cantilena.workflows.learned_corpus import shipped_corpus

LEAST_EXCERPTS, LEAST_PIECES = 60, 20
"""With fewer than these of either role there is too little to tell anything from."""


def critic_people(bundle: Bundle, context: Context, steps: int, against: str = "") -> CriticPeople:
    """People's melodies in the meter and mode that the model is tuned in, for those that reward and the one that stops.

    Args:
        bundle: whose encoding and keys are taken.
        context: key and meter of the tuning.
        steps: of each excerpt.
        against: a corpus by name, file or folder; the one that the bundle says it learned, if it ships, where empty.

    Raises:
        UsageError: no corpus is at hand.
        CorpusError: it cannot be read, or has too few melodies.
    """
    name = against or shipped_corpus(bundle)
    if not name:
        raise UsageError(
            "a critic needs people's melodies, and those that this model learned are not at hand",
            "name some with --against CORPUS",
        )
    corpus = open_corpus(name)
    normalized_key = bool(bundle.provenance.get("plain_keys"))
    train, valid = (
        peoples_melodies(corpus, split, bundle.encoding, context, steps, normalized_key=normalized_key)
        for split in ("train", "valid")
    )
    for heard, purpose in ((train, "reward by"), (valid, "stop by")):
        if len(heard) < LEAST_EXCERPTS or heard.pieces < LEAST_PIECES:
            where = f"in {context.meter}, {context.key.mode}, {steps} steps long"
            raise CorpusError(
                f"{name} has {len(heard)} melodies of {heard.pieces} pieces {where} to {purpose}",
                f"it takes {LEAST_EXCERPTS} of {LEAST_PIECES}: give another --against or --meter, or fewer --steps",
            )
    return CriticPeople(train, valid)


def peoples_melodies(
    corpus: Corpus, split: Split, encoding: Encoding, context: Context, steps: int, *, normalized_key: bool
) -> PeoplesMelodies:
    """The excerpts of a split that are in a meter and a mode.

    Args:
        corpus: the melodies.
        split: whose pieces.
        encoding: how they are said.
        context: its meter and the mode of its key are asked for.
        steps: of each excerpt.
        plain_keys: move each to C major or A minor first.
    """
    part = corpus.where(split=split)
    melodies, names = part.melodies(), part.column("piece")
    chosen = [number for number, melody in enumerate(melodies) if melody.meter == context.meter]
    own = [melodies[number] for number in chosen]
    if normalized_key and isinstance(encoding, GridEncoding):
        own = [in_plain_key(melody, low=encoding.low, high=encoding.high) for melody in own]
    said = [number for number, melody in enumerate(own) if len(encoding.encode(melody))]
    found = excerpts(encode_pieces(encoding, [own[number] for number in said]), steps)
    alike = np.array([one.key.mode == context.key.mode for one in found.contexts], dtype=np.bool_)
    pieces = np.array([names[chosen[number]] for number in said], dtype=np.str_)[found.piece[alike]]
    tonics = np.array([one.key.tonic for one in found.contexts], dtype=np.int64)[alike]
    return PeoplesMelodies(encoding.line(found.tokens[alike]), pieces, tonics)


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
        bundle = bundle.without_ngram()
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
