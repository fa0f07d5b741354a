"""The registry of the kinds of models that a bundle can hold.

A new kind is one more `ModelKind` in `KINDS`, and a format in `file.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError
from cantilena.models.network.inference import NumpyNetwork
from cantilena.models.network.options import NetworkOptions, Precision
from cantilena.models.network.weights import parameters, weight_shapes
from cantilena.models.ngram.bundle import NGramPart, check_ngram, ngram_from_arrays
from cantilena.models.ngram.options import NGramOptions
from cantilena.models.policy import PolicyModel, ScoreModel
from cantilena.models.protocol import SequenceModel
from cantilena.models.vae.inference import MelodyVae
from cantilena.models.vae.options import VaeOptions, vae_shapes
from cantilena.tokenizers import NotesEncoding

if TYPE_CHECKING:
    from cantilena.models.bundle.bundle import Bundle
    from cantilena.models.network.module import Network

Options = NetworkOptions | NGramOptions | VaeOptions
Weights = Mapping[str, NDArray[Any]]

MAX_NUMPY_PARAMETERS = 5_000_000
"""Networks with up to this many parameters are stepped in numpy, larger ones in torch, whose import takes seconds."""

RETRY = "train or tune it again with this version, or ask whoever gave it to you for a new file"


@dataclass(frozen=True)
class ModelKind:
    """What a bundle knows of a kind of model.

    Args:
        name: `network`, `blend`, `ngram` or `vae`.
        label: the name in messages.
        options: the type of its options.
        dtypes: the types in which weights may be stored, by their names in safetensors, and the types they are read as.
        check: raises a BundleError if the parts of a bundle do not fit together.
        build: makes the model.
        untrainable: why `Bundle.network` refuses, text and hint; None if there is a network to train or tune.
    """

    name: str
    label: str
    options: type[Options]
    dtypes: Mapping[str, type[np.generic]]
    check: Callable[[Bundle], None]
    build: Callable[[Bundle, Precision], SequenceModel]
    untrainable: tuple[str, str] | None = None


def kind_of(options: Options, ngram: NGramPart | None = None) -> ModelKind:
    """The kind of a model with these options, and an n-gram beside it if it is a blend."""
    kind = next(kind for kind in KINDS if isinstance(options, kind.options))
    return BLEND if kind is NETWORK and ngram is not None else kind


def torch_network(bundle: Bundle) -> Network:
    """The network of a bundle in torch."""
    from cantilena.models.network.module import Network

    assert isinstance(bundle.options, NetworkOptions)
    return Network(bundle.options, len(bundle.encoding.vocabulary)).load_weights(bundle.weights)


def _check_network(bundle: Bundle) -> None:
    assert isinstance(bundle.options, NetworkOptions)
    encoding, options = bundle.encoding, bundle.options
    shape: tuple[tuple[int, ...], int] = ((), 0)
    if isinstance(encoding, NotesEncoding):
        shape = (encoding.durations, encoding.high - encoding.low + 1)
    if (options.durations, options.pitches) != shape:
        raise BundleError(
            f"this bundle's network has {len(options.durations)} durations and {options.pitches} pitches, "
            f"which are not those of its encoding, {len(shape[0])} and {shape[1]}",
            RETRY,
        )
    if bundle.ngram is not None:
        _refuse_tuned(bundle)
        if not 0.0 <= bundle.ngram.share <= 1.0:
            raise BundleError(f"this bundle's n-gram has a share of {bundle.ngram.share:g}, not 0 to 1", RETRY)
        check_ngram(bundle.ngram.arrays, len(bundle.encoding.vocabulary))
    shapes = weight_shapes(options, len(encoding.vocabulary))
    for weights in (bundle.weights, bundle.prior_weights):
        if weights is not None:
            _check_weights(weights, shapes)


def _check_ngram(bundle: Bundle) -> None:
    _refuse_tuned(bundle)
    if bundle.ngram is not None:
        raise BundleError("this bundle says that two n-grams are blended, which is not possible", RETRY)
    check_ngram(bundle.weights, len(bundle.encoding.vocabulary))


def _check_vae(bundle: Bundle) -> None:
    assert isinstance(bundle.options, VaeOptions)
    if bundle.is_tuned or bundle.ngram is not None:
        raise BundleError("this bundle says that a VAE was tuned or blended, which is not possible", RETRY)
    if not bundle.encoding.is_timed:
        raise BundleError("this bundle holds a VAE of notes without time, which is not possible", RETRY)
    _check_weights(bundle.weights, vae_shapes(bundle.options, len(bundle.encoding.vocabulary)))


def _refuse_tuned(bundle: Bundle) -> None:
    if bundle.is_tuned:
        raise BundleError("this bundle says that an n-gram was tuned, which is not possible", RETRY)


def _check_weights(weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if set(weights) != set(shapes):
        odd = sorted(set(weights) ^ set(shapes))[0]
        state = "lacks" if odd in shapes else "has"
        raise BundleError(f"this bundle {state} the weights {odd[:80]!r}, against its options", RETRY)
    for name, shape in shapes.items():
        weight = weights[name]
        if weight.shape != shape:
            raise BundleError(
                f"this bundle's weights '{name}' have shape {weight.shape}, its options say {shape}", RETRY
            )
        # The sum is finite if and only if every number is: float64 does not overflow here.
        if not math.isfinite(float(np.sum(weight, dtype=np.float64))):
            raise BundleError(f"this bundle's weights '{name}' are not all finite", RETRY)


def _build_network(bundle: Bundle, precision: Precision) -> SequenceModel:
    network = _score_model(bundle, precision)
    if bundle.policy == "likelihood":
        return network
    return PolicyModel(network, bundle.policy, bundle.prior(precision) if bundle.policy == "g" else None)


def _build_blend(bundle: Bundle, precision: Precision) -> SequenceModel:
    from cantilena.models.ngram.blend import Blend  # imports numba, which only prediction needs

    assert bundle.ngram is not None
    ngram = ngram_from_arrays(bundle.ngram.options, bundle.ngram.arrays, bundle.encoding)
    return Blend(_score_model(bundle, precision), ngram, bundle.ngram.share)


def _build_ngram(bundle: Bundle, precision: Precision) -> SequenceModel:
    assert isinstance(bundle.options, NGramOptions)
    return ngram_from_arrays(bundle.options, bundle.weights, bundle.encoding)


def _build_vae(bundle: Bundle, precision: Precision) -> SequenceModel:
    assert isinstance(bundle.options, VaeOptions)
    return MelodyVae(bundle.options, bundle.weights)


def _score_model(bundle: Bundle, precision: Precision) -> ScoreModel:
    """The network in numpy if it is small, else in torch."""
    assert isinstance(bundle.options, NetworkOptions)
    if parameters(bundle.options, len(bundle.encoding.vocabulary)) <= MAX_NUMPY_PARAMETERS:
        return NumpyNetwork(bundle.options, bundle.weights)
    from cantilena.models.network.device import choose_precision

    network = torch_network(bundle)
    network.stepping = choose_precision(precision, network.device)
    return network


_FLOATS = {"F32": np.float32, "F16": np.float32}
_COUNTS = {"U8": np.int64, "U16": np.int64, "U32": np.int64, "I64": np.int64, "F64": np.float64}

NETWORK = ModelKind("network", "network", NetworkOptions, _FLOATS, _check_network, _build_network)
BLEND = ModelKind(
    "blend",
    "blend",
    NetworkOptions,
    _FLOATS,
    _check_network,
    _build_blend,
    (
        "this model blends a network with an n-gram, which learns nothing further",
        "take the network alone: Bundle.without_ngram, or `cantilena train --no-blend`",
    ),
)
NGRAM = ModelKind(
    "ngram",
    "n-gram",
    NGramOptions,
    _COUNTS,
    _check_ngram,
    _build_ngram,
    (
        "this model is an n-gram, which holds counts and no network",
        "name a network: `cantilena train` makes one unless it is told --model ngram",
    ),
)
VAE = ModelKind(
    "vae",
    "VAE",
    VaeOptions,
    _FLOATS,
    _check_vae,
    _build_vae,
    (
        "this model is a VAE, which holds no network that predicts tokens one after the other",
        "name a network: `cantilena train` makes one unless it is told --model vae",
    ),
)
KINDS = (NETWORK, NGRAM, VAE)
"""The kinds that differ by the type of their options; a blend is a network with an n-gram beside it."""
