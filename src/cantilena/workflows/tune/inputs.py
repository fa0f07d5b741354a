"""What a tuning starts with: the model, its reward and human melodies, checked before a folder is used.

The classifiers of a critic get human melodies of three sets of pieces that have none in common: those that reward learn
from the training pieces, the one that stops a run from the validation pieces, and the one that judges afterwards
(`critic.listen`) from the test pieces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from cantilena.data import Corpus, Split, open_corpus, parts_of
from cantilena.discriminators import HumanMelodies
from cantilena.errors import CorpusError, UsageError
from cantilena.generation import Composer
from cantilena.models import Bundle, find_bundle
from cantilena.rl import CriticData, MusicReward, PeoplesNotes, TuningOptions, check_tunable, music_reward
from cantilena.rules import Context, RuleSet
from cantilena.rules.user import file_of
from cantilena.runtime import json_text, log
from cantilena.tokenizers import Encoding, NotesEncoding
from cantilena.workflows.critic import compose_like, critic_inputs, encoded_leads, told_like
from cantilena.workflows.data import Excerpts, context_of, encode_pieces, excerpts, reference_excerpts, transposed
from cantilena.workflows.learned_corpus import shipped_corpus

LEAST_EXCERPTS, LEAST_PIECES = 60, 20
"""Excerpts and pieces that each set of human melodies needs for a critic."""

LONGEST, PART_BARS = 24 * 96, 16
"""Ticks of the longest melodies that `mpo` composes, 24 bars of 4/4, and bars of the parts of longer ones."""


@dataclass(frozen=True)
class TuningInputs:
    """What a tuning starts with.

    Args:
        bundle: the trained model.
        digests: of its file, and of the rules if they are in files: a run is not resumed if either has changed.
        reward: the rules, in the key of the model.
        human: excerpts of human melodies to compare the model's with; None if there is no corpus.
        critic_data: human melodies for the classifiers that reward and that stop; None without a critic of steps.
        people: human melodies of notes; None but for `mpo`.
    """

    bundle: Bundle
    digests: Mapping[str, str]
    reward: MusicReward
    human: Excerpts | None
    critic_data: CriticData | None = None
    people: PeoplesNotes | None = None


def load_tuning_inputs(model: Bundle | str, options: TuningOptions, against: str = "") -> TuningInputs:
    """Read all that a tuning starts with.

    Args:
        model: a bundle, its path, or the name of one that ships with the package.
        options: of the tuning.
        against: the corpus of human melodies; if empty, the one that the model was trained on.

    Raises:
        BundleError: there is no such model.
        CorpusError: the corpus cannot be read.
        UsageError: no name, unknown rules, a model or a device that cannot be tuned so, or a critic or `mpo` without a
            corpus.
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
    reward = music_reward(bundle, options, over_chords=options.algorithm == "mpo")
    data = people = None
    if options.algorithm == "mpo":
        people = peoples_notes(bundle, _human_corpus(bundle, against, "mpo"))
        reward = replace(reward, over_chords=people.has_chords)
    elif options.critic.critic:
        data = critic_data(bundle, reward.context, options.steps, against)
    human = reference_excerpts(bundle, options.steps, against)
    digests = {"sha256": hashlib.sha256(content).hexdigest()}
    if any(ending in options.rules for ending in (".py", ".toml")):
        digests["rules_sha256"] = _digest(reward.rules)
    return TuningInputs(bundle, digests, reward, human, data, people)


def critic_data(bundle: Bundle, context: Context, steps: int, against: str = "") -> CriticData:
    """Human melodies in the meter and mode of a tuning, for the classifiers that reward and the one that stops.

    Raises:
        UsageError: there is no corpus.
        CorpusError: it cannot be read, or has too few melodies.
    """
    corpus = _human_corpus(bundle, against, "a critic")
    normalized_key = bool(bundle.provenance.get("plain_keys"))
    train, valid = (
        peoples_melodies(corpus, split, bundle.encoding, context, steps, normalized_key=normalized_key)
        for split in ("train", "valid")
    )
    for melodies, purpose in ((train, "reward by"), (valid, "stop by")):
        if len(melodies) < LEAST_EXCERPTS or melodies.pieces < LEAST_PIECES:
            where = f"in {context.meter}, {context.key.mode}, {steps} steps long"
            raise CorpusError(
                f"{corpus.manifest.name} has {len(melodies)} melodies of {melodies.pieces} pieces {where} to {purpose}",
                f"it takes {LEAST_EXCERPTS} of {LEAST_PIECES}: give another --against or --meter, or fewer --steps",
            )
    return CriticData(train, valid)


def peoples_notes(bundle: Bundle, corpus: Corpus) -> PeoplesNotes:
    """People's leads of the training part, in the keys of a model of notes, and how it composes others like them.

    Long ones are cut into parts.

    Raises:
        CorpusError: there are too few melodies.
    """
    composer, encoding = Composer.from_bundle(bundle), bundle.encoding
    assert isinstance(encoding, NotesEncoding)
    melodies = [
        part
        for melody in corpus.melodies("train")
        for part in parts_of(melody, PART_BARS, LONGEST // melody.meter.ticks_per_bar)
    ]
    leads = encoded_leads(melodies, encoding, normalized_key=composer.normalized_key)
    used = [row for row, melody in enumerate(leads.melodies) if melody.length <= LONGEST and melody.sounding]
    if len(used) < LEAST_EXCERPTS:
        raise CorpusError(
            f"{corpus.manifest.name} has {len(used)} melodies of up to {LONGEST // 96} bars to learn from",
            f"it takes {LEAST_EXCERPTS}: give another --against",
        )
    pieces = leads.take(np.array(used))
    return PeoplesNotes(
        encoding,
        critic_inputs(encoding, pieces.sequences.tokens, pieces),
        pieces.sequences.bars,
        [context_of(pieces, number) for number in range(len(pieces))],
        tell=lambda numbers, seed: told_like(composer, pieces, numbers, seed),
        compose=lambda numbers, seed: compose_like(composer, pieces.take(numbers), endings=1, seed=seed),
        chords=[melody.chords for melody in pieces.melodies] if composer.has_harmony else (),
    )


def _human_corpus(bundle: Bundle, against: str, what: str) -> Corpus:
    """The corpus that is named, or the one that the model was trained on."""
    name = against or shipped_corpus(bundle)
    if not name:
        raise UsageError(
            f"{what} needs human melodies, and the corpus of this model does not ship with Cantilena",
            "name some with --against CORPUS",
        )
    return open_corpus(name)


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
