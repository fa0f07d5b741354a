"""People's melodies in the words of a model: what its own are held beside."""

from __future__ import annotations

from cantilena.data import Corpus, in_plain_key, open_corpus
from cantilena.errors import CorpusError
from cantilena.models import Bundle
from cantilena.music import Melody
from cantilena.runtime import say
from cantilena.tokenizers import Encoding, GridEncoding
from cantilena.workflows.data import Excerpts, encode_pieces, excerpts
from cantilena.workflows.learned_corpus import shipped_corpus

_ENOUGH = 200
"""With fewer held-out excerpts than this, those that the model learned from are taken too."""


def people_beside(bundle: Bundle, steps: int, against: str = "") -> Excerpts | None:
    """People's melodies, excerpts of so many steps, to hold a model's beside; None where none are at hand.

    Args:
        bundle: whose encoding and keys are taken.
        steps: of each excerpt.
        against: a corpus by name, file or folder; the one that the bundle says it learned, if it ships, where empty.

    Raises:
        CorpusError: the corpus that was named cannot be read, or holds no melody as long.
    """
    name = against or shipped_corpus(bundle)
    if not name:
        say("People's melodies are not at hand (--against CORPUS): diversity is held beside the untuned model's")
        return None
    plain_keys = bool(bundle.provenance.get("plain_keys"))
    found = corpus_excerpts(open_corpus(name), bundle.encoding, steps, plain_keys=plain_keys)
    if not len(found.tokens):
        if against:
            raise CorpusError(f"no melody of {name} is {steps} steps long", "give another corpus, or fewer --steps")
        say(f"No melody of {name} is {steps} steps long: diversity is held beside the untuned model's")
        return None
    return found


def corpus_excerpts(corpus: Corpus, encoding: Encoding, steps: int, *, plain_keys: bool) -> Excerpts:
    """The held-out excerpts of a corpus; all of its excerpts where those are few.

    Args:
        corpus: the melodies.
        encoding: how they are said.
        steps: of each excerpt.
        plain_keys: move each to C major or A minor first.
    """
    held_out = _excerpts(list(corpus.melodies("test")), encoding, steps, plain_keys=plain_keys)
    if len(held_out.tokens) >= _ENOUGH:
        return held_out
    return _excerpts(list(corpus), encoding, steps, plain_keys=plain_keys)


def _excerpts(melodies: list[Melody], encoding: Encoding, steps: int, *, plain_keys: bool) -> Excerpts:
    if plain_keys and isinstance(encoding, GridEncoding):
        melodies = [in_plain_key(melody, low=encoding.low, high=encoding.high) for melody in melodies]
    return excerpts(encode_pieces(encoding, melodies), steps)
