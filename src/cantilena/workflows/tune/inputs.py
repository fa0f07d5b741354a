"""What a tuning starts with: the model, its reward and human melodies, checked before a folder is used.

The classifiers of a critic get human melodies of three sets of pieces that have none in common: those that reward learn
from the training pieces, the one that stops a run from the validation pieces, and the one that judges afterwards
(`critic.listen`) from the test pieces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cantilena.data import Corpus, Split, open_corpus
from cantilena.discriminators import HumanMelodies
from cantilena.errors import CorpusError, UsageError
from cantilena.models import Bundle, find_bundle
from cantilena.rl import CriticData, MusicReward, TuningOptions, check_tunable, music_reward
from cantilena.rules import Context, RuleSet
from cantilena.rules.user import file_of
from cantilena.runtime import json_text, log
from cantilena.tokenizers import Encoding
from cantilena.workflows.data import Excerpts, encode_pieces, excerpts, reference_excerpts, transposed
from cantilena.workflows.learned_corpus import shipped_corpus

LEAST_EXCERPTS, LEAST_PIECES = 60, 20
"""Excerpts and pieces that each set of human melodies needs for a critic."""


@dataclass(frozen=True)
class TuningInputs:
    """What a tuning starts with.

    Args:
        bundle: the trained model.
        digests: of its file, and of the rules if they are in files: a run is not resumed if either has changed.
        reward: the rules, in the key of the model.
        people: excerpts of human melodies to compare the model's with; None if there is no corpus.
        critic_people: human melodies for the classifiers that reward and that stop; None without a critic.
    """

    bundle: Bundle
    digests: Mapping[str, str]
    reward: MusicReward
    human: Excerpts | None
    critic_data: CriticData | None = None


def load_tuning_inputs(model: Bundle | str, options: TuningOptions, against: str = "") -> TuningInputs:
    """Read all that a tuning starts with.

    Args:
        model: a bundle, its path, or the name of one that ships with the package.
        options: of the tuning.
        against: the corpus of human melodies; if empty, the one that the model was trained on.

    Raises:
        BundleError: there is no such model.
        CorpusError: the corpus cannot be read.
        UsageError: no name, unknown rules, a model or a device that cannot be tuned so, or a critic without a corpus.
    """
    if isinstance(model, Bundle):
        bundle, content = model, b"".join(model.weights[name].tobytes() for name in sorted(model.weights))
    else:
        path = find_bundle(model)
        bundle, content = Bundle.load(path), path.read_bytes()
    if bundle.ngram is not None:
        log("This model blends a network with an n-gram, which cannot be tuned: the network alone is tuned")
        bundle = bundle.without_ngram()
    check_tunable(bundle, options)
    reward = music_reward(bundle, options)
    data = critic_data(bundle, reward.context, options.steps, against) if options.critic.critic else None
    human = reference_excerpts(bundle, options.steps, against)
    digests = {"sha256": hashlib.sha256(content).hexdigest()}
    if any(ending in options.rules for ending in (".py", ".toml")):
        digests["rules_sha256"] = _digest(reward.rules)
    return TuningInputs(bundle, digests, reward, human, data)


def critic_data(bundle: Bundle, context: Context, steps: int, against: str = "") -> CriticData:
    """Human melodies in the meter and mode of a tuning, for the classifiers that reward and the one that stops.

    Raises:
        UsageError: there is no corpus.
        CorpusError: it cannot be read, or has too few melodies.
    """
    name = against or shipped_corpus(bundle)
    if not name:
        raise UsageError(
            "a critic needs human melodies, and the corpus of this model does not ship with Cantilena",
            "name some with --against CORPUS",
        )
    corpus = open_corpus(name)
    normalized_key = bool(bundle.provenance.get("plain_keys"))
    train, valid = (
        peoples_melodies(corpus, split, bundle.encoding, context, steps, normalized_key=normalized_key)
        for split in ("train", "valid")
    )
    for melodies, purpose in ((train, "reward by"), (valid, "stop by")):
        if len(melodies) < LEAST_EXCERPTS or melodies.pieces < LEAST_PIECES:
            where = f"in {context.meter}, {context.key.mode}, {steps} steps long"
            raise CorpusError(
                f"{name} has {len(melodies)} melodies of {melodies.pieces} pieces {where} to {purpose}",
                f"it takes {LEAST_EXCERPTS} of {LEAST_PIECES}: give another --against or --meter, or fewer --steps",
            )
    return CriticData(train, valid)


def peoples_melodies(
    corpus: Corpus, split: Split, encoding: Encoding, context: Context, steps: int, *, normalized_key: bool
) -> HumanMelodies:
    """The excerpts of a split that are in a meter and a mode."""
    part = corpus.where(split=split)
    melodies, names = part.melodies(), part.column("piece")
    chosen = [number for number, melody in enumerate(melodies) if melody.meter == context.meter]
    own = transposed([melodies[number] for number in chosen], encoding, normalized_key=normalized_key)
    encodable = [number for number, melody in enumerate(own) if len(encoding.encode(melody))]
    cut = excerpts(encode_pieces(encoding, [own[number] for number in encodable]), steps)
    same_mode = np.array([one.key.mode == context.key.mode for one in cut.contexts], dtype=np.bool_)
    pieces = np.array([names[chosen[number]] for number in encodable], dtype=np.str_)[cut.piece[same_mode]]
    tonics = np.array([one.key.tonic for one in cut.contexts], dtype=np.int64)[same_mode]
    return HumanMelodies(encoding.line(cut.tokens[same_mode]), pieces, tonics)


def _digest(rules: RuleSet) -> str:
    """A hash of the names, weights and parameters of rules, and of the files that define them."""
    content: list[object] = []
    for rule in rules.rules:
        place = file_of(rule)
        code = hashlib.sha256(place[0].read_bytes()).hexdigest() if place is not None else ""
        content.append([rule.name, rule.weight, dict(rule.parameters), code])
    return hashlib.sha256(json_text(content).encode()).hexdigest()
