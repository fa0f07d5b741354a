"""Whether a trained network is mixed with an n-gram of the same pieces, and how well each predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cantilena.models import Blend, NetworkOptions, NGram, NGramOptions, SequenceModel
from cantilena.runtime import log
from cantilena.tokenizers import allowed_after
from cantilena.workflows.data import EncodedCorpus, EncodedPieces, likelihood_of
from cantilena.workflows.train.options import NetworkTraining

AHEAD = 0.05
"""Nats a step by which a network must predict the validation pieces better than the n-gram to be kept alone: well above
the 0.02 that count as clear, because new pieces differ from the validation pieces."""

Scores = Mapping[str, float | None]


@dataclass(frozen=True)
class BlendChoice:
    """Whether to blend, and the numbers that decided it.

    Args:
        model: the blend, or the network alone.
        scores: of `network`, `ngram` and `blend`: nats a step and a note of the `valid` and `test` pieces.
        why: the reason, as a sentence.
    """

    model: SequenceModel
    scores: Mapping[str, Mapping[str, Scores]] = field(repr=False)
    why: str

    @property
    def blend(self) -> Blend | None:
        """The blend, if there is one."""
        return self.model if isinstance(self.model, Blend) else None

    @property
    def chosen(self) -> Mapping[str, Scores]:
        """The scores of the model that was chosen."""
        return self.scores["network" if self.blend is None else "blend"]

    def to_dict(self) -> dict[str, Any]:
        """The `blend` of `train --json`."""
        share = self.blend.share if self.blend is not None else 0.0
        return {"share": share, "why": self.why, **{name: dict(parts) for name, parts in self.scores.items()}}


def may_blend(options: NetworkTraining, network: NetworkOptions) -> bool:
    """Whether to compare a network with an n-gram: if --blend says so, and by default in the quick preset.

    The paper's own network and its literal input are never blended by default.
    """
    if options.blend is not None:
        return options.blend
    return options.preset == "quick" and network.input == "features"


def choose_blend(
    network: SequenceModel, data: EncodedCorpus, options: NGramOptions, *, wanted: bool | None
) -> BlendChoice:
    """Mix a network with an n-gram if that is wanted, or unless the network alone is clearly better."""
    log("Counting n-grams")
    ngram = fit_ngram(data, options)
    scores = {"network": scores_of(network, data), "ngram": scores_of(ngram, data)}
    alone, rival = (scores[name]["valid"]["nats_per_step"] or 0.0 for name in ("network", "ngram"))
    ahead = rival - alone
    why = f"the network alone predicts the validation pieces {abs(ahead):.3f} nats a step "
    why += f"{'better' if ahead >= 0 else 'worse'} than the n-gram"
    if not (wanted if wanted is not None else ahead < AHEAD):
        return BlendChoice(network, scores, why)
    if wanted is None:
        log(f"Blended with an n-gram: {why}")
    blend = Blend.fit(network, ngram, data.valid.sequences)
    return BlendChoice(blend, scores | {"blend": scores_of(blend, data)}, why)


def fit_ngram(data: EncodedCorpus, options: NGramOptions | None = None) -> NGram:
    """An n-gram of the training pieces that also copies from the piece so far, tuned on the validation pieces."""
    allowed = allowed_after(data.encoding)
    ngram = NGram.fit(data.train.sequences.tokens, len(data.encoding.vocabulary), options, allowed)
    return ngram.tune(data.valid.sequences.tokens)


def scores_of(model: SequenceModel, data: EncodedCorpus) -> dict[str, dict[str, float | None]]:
    """Nats a step and a note of the `valid` and `test` pieces, as JSON values."""
    return {"valid": score(model, data.valid, data), "test": score(model, data.test, data)}


def score(model: SequenceModel, pieces: EncodedPieces, data: EncodedCorpus) -> dict[str, float | None]:
    """Nats a step and a note of some pieces, as JSON values."""
    result = likelihood_of(model, pieces.sequences, data.encoding)
    return {"nats_per_step": result.nats_per_step, "nats_per_note": result.nats_per_note}
