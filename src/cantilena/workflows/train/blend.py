"""Whether a trained network is mixed with an n-gram of the same pieces, and what that gains.

A folder of held-out scores as a model reads it: nothing is left out unseen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus, ReadOptions, Skipped, in_plain_key, read_folder
from cantilena.errors import CorpusError
from cantilena.models import Blend, Likelihood, NGram, NGramOptions, SequenceModel, Sequences, likelihood
from cantilena.music import Melody
from cantilena.runtime import say
from cantilena.tokenizers import Encoding, GridEncoding
from cantilena.workflows.data import Material, Pieces, encode_pieces

Labels = NDArray[np.str_]


@dataclass(frozen=True)
class HeldOutPieces:
    """Pieces as the tokens of one encoding, and what of them it could not say.

    Args:
        encoding: what the tokens mean.
        sequences: the tokens of each piece.
        labels: `(pieces,)`: the work that each is of; its pieces are not independent of one another.
        folded: notes moved by octaves, for want of a token.
        rounded: notes moved in time to the grid.
        dropped: notes left out: the encoding has no token for them in any octave, or no room under others.
        silent: pieces left out since nothing of them is left.
    """

    encoding: Encoding
    sequences: Sequences
    labels: Labels
    folded: int
    rounded: int
    dropped: int
    silent: int

    def predicted_by(self, model: SequenceModel) -> Likelihood:
        """How well a model of this encoding predicts them.

        Raises:
            CorpusError: there is no piece.
        """
        return likelihood_of(model, self.sequences, self.encoding)


@dataclass(frozen=True)
class HeldOut:
    """A folder of scores, taken as it is: no deduplication, cutting, transposition or key normalisation.

    Args:
        folder: the folder.
        jobs: worker processes that read it; 0 takes one a processor.

    Example:
        >>> import tempfile
        >>> from cantilena.io import write
        >>> place = Path(tempfile.mkdtemp())
        >>> write(Melody.from_pitches([(60, 24), (96, 24)]), place / "two_notes.mid")
        >>> pieces = HeldOut(place, jobs=1).pieces(GridEncoding())
        >>> pieces.sequences.tokens[0].tolist(), pieces.folded  # the C7 is read as a C5
        ([14, 1, 1, 1, 26, 1, 1, 1], 1)
    """

    folder: Path
    jobs: int = 0

    def pieces(self, encoding: Encoding, *, normalized_key: bool = False) -> HeldOutPieces:
        """Its pieces for a model of some encoding.

        Args:
            encoding: the melody line is read for the grid, notes and chords for events.
            plain_keys: transpose each to C major or A minor, for a grid's model that knows no other key.

        Raises:
            CorpusError: there is no such folder, or nothing in it can be used.
        """
        corpus = self.corpus(encoding)
        melodies: Sequence[Melody] = corpus.melodies()
        if normalized_key and isinstance(encoding, GridEncoding):
            melodies = [in_plain_key(melody, low=encoding.low, high=encoding.high) for melody in melodies]
        fits = [encoding.fit(melody) for melody in melodies]
        kept = [number for number, fit in enumerate(fits) if len(encoding.encode(fit.melody))]
        if not kept:
            raise CorpusError(
                f"the model has no token for any note in {self.folder}", "name scores like those that it learned"
            )
        return HeldOutPieces(
            encoding,
            encode_pieces(encoding, [fits[number].melody for number in kept]).sequences,
            np.array(corpus.column("piece"), dtype=np.str_)[kept],
            folded=sum(fit.folded for fit in fits),
            rounded=sum(fit.rounded for fit in fits) if encoding.is_timed else 0,
            dropped=sum(fit.dropped for fit in fits),
            silent=len(fits) - len(kept),
        )

    def corpus(self, encoding: Encoding) -> Corpus:
        """The folder as it was read for an encoding."""
        return self._melodies if encoding.is_timed else self._all_voices

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The files that could not be used, of all that was read so far."""
        read = [corpus for corpus in (self.__dict__.get(name) for name in ("_melodies", "_all_voices")) if corpus]
        return tuple(dict.fromkeys(row for corpus in read for row in corpus.manifest.skipped))

    @cached_property
    def _melodies(self) -> Corpus:
        return read_folder(self.folder, ReadOptions(voice="melody", jobs=self.jobs), as_is=True)

    @cached_property
    def _all_voices(self) -> Corpus:
        return read_folder(self.folder, ReadOptions(voice="all", jobs=self.jobs), as_is=True)


def likelihood_of(model: SequenceModel, pieces: Sequences, encoding: Encoding) -> Likelihood:
    """The likelihood of whole pieces, with their note onsets counted.

    Args:
        model: any sequence model.
        pieces: what to predict.
        encoding: what their tokens mean: a note begins wherever its line strikes one.

    Raises:
        CorpusError: there is no piece.

    Example:
        >>> from cantilena.models import TopTokens
        >>> even = TopTokens(vocabulary_size=38, tokens=tuple(range(38)))
        >>> round(likelihood_of(even, Sequences.from_tokens([[14, 1, 16, 1]]), GridEncoding()).nats_per_note, 3)  # 2 ln 38
        7.275
    """
    return likelihood(model, pieces, [encoding.line(tokens[None, :]).pitch[0] >= 0 for tokens in pieces.tokens])


AHEAD = 0.05
"""By so many nats a step a network must predict the validation pieces better than the n-gram to stand alone: some way
above the .02 that count as clear, since other pieces are held out than those that are to come."""

Scores = Mapping[str, float | None]


@dataclass(frozen=True)
class Blending:
    """What was decided, and by which numbers.

    Args:
        model: the blend, or the network alone.
        scores: `network`, `ngram` and `blend`: nats a step and a note of `valid` and `test` pieces.
        why: in words.
    """

    model: SequenceModel
    scores: Mapping[str, Mapping[str, Scores]] = field(repr=False)
    why: str

    @property
    def blend(self) -> Blend | None:
        """The blend, where there is one."""
        return self.model if isinstance(self.model, Blend) else None

    @property
    def chosen(self) -> Mapping[str, Scores]:
        """The scores of the model that was decided for."""
        return self.scores["network" if self.blend is None else "blend"]

    def answer(self) -> dict[str, Any]:
        """What `train --json` says of it."""
        share = self.blend.share if self.blend is not None else 0.0
        return {"share": share, "why": self.why, **{name: dict(parts) for name, parts in self.scores.items()}}


def blending(network: SequenceModel, material: Material, options: NGramOptions, *, wanted: bool | None) -> Blending:
    """Mix a network with an n-gram where it is wanted, or where the network alone is not clearly ahead of it.

    Args:
        network: trained on the material, in evaluation mode.
        material: what both learn from; the share is tuned on its validation pieces.
        options: of the n-gram.
        wanted: True or False decides; None leaves it to the validation pieces.
    """
    say("Counting n-grams")
    ngram = counted(material, options)
    scores = {"network": scores_of(network, material), "ngram": scores_of(ngram, material)}
    alone, rival = (scores[name]["valid"]["nats_per_step"] or 0.0 for name in ("network", "ngram"))
    ahead = rival - alone
    why = f"the network alone predicts the validation pieces {abs(ahead):.3f} nats a step "
    why += f"{'better' if ahead >= 0 else 'worse'} than the n-gram"
    if not (wanted if wanted is not None else ahead < AHEAD):
        return Blending(network, scores, why)
    if wanted is None:
        say(f"Blended with an n-gram: {why}")
    blend = Blend.fit(network, ngram, material.valid.sequences)
    return Blending(blend, scores | {"blend": scores_of(blend, material)}, why)


def counted(material: Material, options: NGramOptions | None = None) -> NGram:
    """An n-gram of the material's pieces that also copies from the piece so far, tuned on the validation pieces."""
    ngram = NGram.fit(material.train.sequences.tokens, len(material.encoding.vocabulary), options)
    return ngram.tune(material.valid.sequences.tokens)


def scores_of(model: SequenceModel, material: Material) -> dict[str, dict[str, float | None]]:
    """Nats per step and per note of the pieces that a material holds out, `valid` and `test`, as JSON values."""
    return {"valid": score(model, material.valid, material), "test": score(model, material.test, material)}


def score(model: SequenceModel, pieces: Pieces, material: Material) -> dict[str, float | None]:
    """Nats per step and per note of some pieces, as JSON values."""
    result = likelihood_of(model, pieces.sequences, material.encoding)
    return {"nats_per_step": result.nats_per_step, "nats_per_note": result.nats_per_note}
