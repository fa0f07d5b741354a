"""Whether a trained network is mixed with an n-gram of the same pieces, and what that gains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cantilena.models import Blend, NGram, NGramOptions, SequenceModel
from cantilena.runtime import say
from cantilena.workflows.data import Material, Pieces
from cantilena.workflows.train.held_out import likelihood_of

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
    blend = Blend.tuned(network, ngram, material.valid.sequences)
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
