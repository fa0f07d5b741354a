"""People's melodies for the three listeners of a tuning, three sets of pieces that have none in common.

Those that reward hear the pieces that models learn from, the one that stops a run those that training is stopped by,
and the one that judges afterwards (`critic.listen`) those that are held out: the splits of a corpus, by piece.
"""

from __future__ import annotations

import numpy as np

from cantilena.data import Corpus, Split, in_plain_key, open_corpus
from cantilena.discriminators import PeoplesMelodies
from cantilena.errors import CorpusError, UsageError
from cantilena.models import Bundle
from cantilena.rl import CriticPeople
from cantilena.rules import Context
from cantilena.tokenizers import Encoding, GridEncoding
from cantilena.workflows.data import encode_pieces, excerpts
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
    plain_keys = bool(bundle.provenance.get("plain_keys"))
    train, valid = (
        peoples_melodies(corpus, split, bundle.encoding, context, steps, plain_keys=plain_keys)
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
    corpus: Corpus, split: Split, encoding: Encoding, context: Context, steps: int, *, plain_keys: bool
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
    if plain_keys and isinstance(encoding, GridEncoding):
        own = [in_plain_key(melody, low=encoding.low, high=encoding.high) for melody in own]
    said = [number for number, melody in enumerate(own) if len(encoding.encode(melody))]
    found = excerpts(encode_pieces(encoding, [own[number] for number in said]), steps)
    alike = np.array([one.key.mode == context.key.mode for one in found.contexts], dtype=np.bool_)
    pieces = np.array([names[chosen[number]] for number in said], dtype=np.str_)[found.piece[alike]]
    tonics = np.array([one.key.tonic for one in found.contexts], dtype=np.int64)[alike]
    return PeoplesMelodies(encoding.line(found.tokens[alike]), pieces, tonics)
