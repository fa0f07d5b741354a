"""Bundles of what `train` makes, with encoding, licence and provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import Corpus
from cantilena.models import (
    LEAD,
    Blend,
    Bundle,
    FormModel,
    NetworkOptions,
    NGram,
    NGramOptions,
    NGramPart,
    VaeOptions,
    ngram_arrays,
)
from cantilena.runtime import options_record
from cantilena.workflows.data import EncodedCorpus, EncodedPieces, role_of

if TYPE_CHECKING:  # an n-gram needs no torch
    from cantilena.training import TrainingOptions, TrainResult, VaeTrainingOptions


def corpus_facts(corpus: Corpus, also: Sequence[Corpus] = ()) -> dict[str, Any]:
    """Name, licence and digest of a corpus, as bundles and runs record them.

    Args:
        corpus: with held-out parts.
        also: those that only training learns from; with them `sources` has the facts of each.
    """
    facts = [
        {"name": one.manifest.name, "licence": one.manifest.licence, "sha256": one.sha256} for one in (corpus, *also)
    ]
    licences = dict.fromkeys(fact["licence"] for fact in facts if fact["licence"])
    sources = [{**fact, "melodies": len(one)} for fact, one in zip(facts, (corpus, *also), strict=True)]
    return {**facts[0], "licence": "; ".join(licences), "sources": sources} if also else facts[0]


def trained_bundle(
    trained: TrainResult[Any],
    data: EncodedCorpus,
    shape: NetworkOptions | VaeOptions,
    *training: TrainingOptions | VaeTrainingOptions,
    corpus: Mapping[str, Any],
) -> Bundle:
    """The bundle of a trained network or VAE."""
    record: dict[str, Any] = {}
    for options in training:
        record |= options_record(options)
    record |= {"processes": trained.processes} if trained.processes > 1 else {}
    record |= {"epochs_done": trained.epochs, "best_epoch": trained.best_epoch}
    held_out: dict[str, Any] = {"valid_loss_per_step": trained.valid}
    if isinstance(shape, NetworkOptions):  # whose loss is a likelihood, not a bound
        held_out = {"valid_nats_per_step": trained.valid}
        if shape.plan:
            held_out |= {"forms": _forms_of(data.train).to_json()}
        held_out |= {"styles": dict(data.styles), "styles_by": data.styles_by} if shape.styles else {}
    return _bundle(shape, trained.network.numpy_weights(), data, corpus, training=record, **held_out)


def _forms_of(pieces: EncodedPieces) -> FormModel:
    """The forms, pickups and last notes of leads of unknown style, as are composed; of all if there are none."""
    told = pieces.sequences.style_is_told
    rows = [
        row for row, melody in enumerate(pieces.melodies) if role_of(melody) == LEAD and (told is None or not told[row])
    ]
    rows = rows or list(range(len(pieces.melodies)))
    meters, bars = [melody.meter for melody in pieces.melodies], pieces.sequences.bars
    # A pickup belongs to the form where the last bar is shorter by as much.
    pickups = np.where(bars.plan_origin == 0, bars.pickup, 0).tolist()
    forms = [(meters[row], form) for row in rows if (form := pieces.forms[row]) is not None]
    begins = [(meters[row], pickups[row]) for row in rows]
    ends = [
        (meters[row], pickups[row], melody.length - melody.sounding[-1].onset)
        for row in rows
        if (melody := pieces.melodies[row]).sounding and melody.length % melody.meter.ticks_per_bar == 0
    ]
    return FormModel.learned_from(forms, begins, ends)


def ngram_bundle(ngram: NGram, data: EncodedCorpus, *, corpus: Mapping[str, Any]) -> Bundle:
    """The bundle of an n-gram; arguments as of `trained_bundle`."""
    return _bundle(ngram.options, ngram_arrays(ngram), data, corpus, ngram=_ngram_record(ngram))


def blended_bundle(trained: Bundle, blend: Blend) -> Bundle:
    """The bundle of a network, with the n-gram that it was blended with."""
    ngram = blend.ngram
    return replace(
        trained,
        ngram=NGramPart(ngram.options, ngram_arrays(ngram), blend.share),
        provenance={**trained.provenance, "ngram": {**_ngram_record(ngram), "share": blend.share}},
    )


def _ngram_record(ngram: NGram) -> dict[str, Any]:
    return {**options_record(ngram.options), "contexts": len(ngram.tree.edges) + 1}


def _bundle(
    options: NetworkOptions | NGramOptions | VaeOptions,
    weights: Mapping[str, NDArray[Any]],
    data: EncodedCorpus,
    corpus: Mapping[str, Any],
    **provenance: Any,  # noqa: ANN401  (JSON values)
) -> Bundle:
    return Bundle(
        options=options,
        weights=weights,
        encoding_description=data.encoding.description(),
        licence=str(corpus.get("licence", "")),
        provenance={"corpus": dict(corpus), "plain_keys": data.normalized_key, **provenance},
    )
