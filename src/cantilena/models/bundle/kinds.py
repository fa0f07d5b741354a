"""The kinds of models that a bundle can hold, and what each knows of its weights.

A new kind is a subclass of `ModelKind` in `KINDS`, and a format in `file.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError, UsageError
from cantilena.models.network.inference import NumpyNetwork
from cantilena.models.network.options import NetworkOptions, Precision
from cantilena.models.network.weights import parameters, weight_shapes
from cantilena.models.ngram.bundle import NGramPart, check_ngram, ngram_from_arrays
from cantilena.models.ngram.options import NGramOptions
from cantilena.models.policy import PolicyModel, ScoreModel
from cantilena.models.protocol import SequenceModel
from cantilena.models.vae.inference import MelodyVae
from cantilena.models.vae.options import VaeOptions, vae_shapes

if TYPE_CHECKING:
    from cantilena.models.bundle.bundle import Bundle
    from cantilena.models.network.module import Network

Options = NetworkOptions | NGramOptions | VaeOptions
Weights = Mapping[str, NDArray[Any]]

MAX_NUMPY_PARAMETERS = 5_000_000
"""Networks with up to this many parameters are stepped in numpy, larger ones in torch, whose import takes seconds."""

RETRY = "train or tune it again with this version, or ask whoever gave it to you for a new file"

_FLOATS = {"F32": np.float32, "F16": np.float32}
_COUNTS = {"U8": np.int64, "U16": np.int64, "U32": np.int64, "I64": np.int64, "F64": np.float64}


class ModelKind:
    """What a bundle needs to know of a kind of model: options, weights, and how to build the model."""

    name: ClassVar[str]
    """`network`, `blend`, `ngram` or `vae`."""
    label: ClassVar[str]
    """The name in messages."""
    options: ClassVar[type[Any]]
    dtypes: ClassVar[Mapping[str, type[np.generic]]]
    """The types in which weights may be stored, by their names in safetensors, and the types that they become."""
    quantizable: ClassVar[bool] = False
    """Whether large matrices may be stored as 8-bit integers."""

    def check(self, bundle: Bundle) -> None:
        """Check that the parts of a bundle fit together.

        Raises:
            BundleError: they do not.
        """
        raise NotImplementedError

    def build(self, bundle: Bundle, precision: Precision) -> SequenceModel:
        """The model as it composes."""
        raise NotImplementedError

    def build_prior(self, bundle: Bundle) -> SequenceModel:
        """The model before tuning."""
        return self.build(bundle, "float32")

    def network_options(self, bundle: Bundle) -> NetworkOptions:
        """The options of the network, if it can be trained or tuned.

        Raises:
            UsageError: the bundle has no such network.
        """
        raise NotImplementedError

    def stored(self, array: NDArray[Any], *, half: bool) -> NDArray[Any]:
        """Weights in the type in which they are written; values beyond its range are clipped."""
        dtype = np.float16 if half else np.float32
        largest = float(np.finfo(dtype).max)
        return np.ascontiguousarray(np.clip(array, -largest, largest), dtype=dtype)


class NetworkKind(ModelKind):
    """A network, tuned or not."""

    name = "network"
    label = "network"
    options = NetworkOptions
    dtypes = _FLOATS
    quantizable = True

    def check(self, bundle: Bundle) -> None:
        """Check the shapes of the weights and of the prior's."""
        shapes = weight_shapes(bundle.options, len(bundle.encoding.vocabulary))  # type: ignore[arg-type]
        for weights in (bundle.weights, bundle.prior_weights):
            if weights is not None:
                _check_weights(weights, shapes)

    def build(self, bundle: Bundle, precision: Precision) -> SequenceModel:
        """The network and its policy, in numpy or torch."""
        network = _score_model(bundle, bundle.weights, precision)
        if bundle.policy == "likelihood":
            return network
        prior = None
        if bundle.policy == "g" and bundle.prior_weights is not None:
            prior = _score_model(bundle, bundle.prior_weights, precision)
        return PolicyModel(network, bundle.policy, prior)

    def build_prior(self, bundle: Bundle) -> SequenceModel:
        """The network with the weights before tuning."""
        weights = bundle.weights if bundle.prior_weights is None else bundle.prior_weights
        return _score_model(bundle, weights, "float32")

    def network_options(self, bundle: Bundle) -> NetworkOptions:
        """The options of the bundle."""
        assert isinstance(bundle.options, NetworkOptions)
        return bundle.options


class BlendKind(NetworkKind):
    """A network blended with an n-gram."""

    name = "blend"

    def check(self, bundle: Bundle) -> None:
        """Check the n-gram, too."""
        _refuse_tuned(bundle)
        part = _part(bundle)
        if not 0.0 <= part.share <= 1.0:
            raise BundleError(f"this bundle's n-gram has a share of {part.share:g}, not one from 0 to 1", RETRY)
        check_ngram(part.arrays, len(bundle.encoding.vocabulary))
        super().check(bundle)

    def build(self, bundle: Bundle, precision: Precision) -> SequenceModel:
        """The mixture of both."""
        from cantilena.models.ngram.blend import Blend  # imports numba, which only prediction needs

        part = _part(bundle)
        ngram = ngram_from_arrays(part.options, part.arrays, len(bundle.encoding.vocabulary))
        return Blend(_score_model(bundle, bundle.weights, precision), ngram, part.share)

    def build_prior(self, bundle: Bundle) -> SequenceModel:
        """The blend itself, which is never tuned."""
        return self.build(bundle, "float32")

    def network_options(self, bundle: Bundle) -> NetworkOptions:
        """Refuse: the n-gram learns nothing further."""
        raise UsageError(
            "this model blends a network with an n-gram, which learns nothing further",
            "take the network alone: Bundle.without_ngram, or `cantilena train --no-blend`",
        )


class NGramKind(ModelKind):
    """An n-gram."""

    name = "ngram"
    label = "n-gram"
    options = NGramOptions
    dtypes = _COUNTS

    def check(self, bundle: Bundle) -> None:
        """Check the arrays."""
        _refuse_tuned(bundle)
        if bundle.ngram is not None:
            raise BundleError("this bundle says that two n-grams are blended, which is not possible", RETRY)
        check_ngram(bundle.weights, len(bundle.encoding.vocabulary))

    def build(self, bundle: Bundle, precision: Precision) -> SequenceModel:
        """The n-gram."""
        assert isinstance(bundle.options, NGramOptions)
        return ngram_from_arrays(bundle.options, bundle.weights, len(bundle.encoding.vocabulary))

    def network_options(self, bundle: Bundle) -> NetworkOptions:
        """Refuse: there is no network."""
        raise UsageError(
            "this model is an n-gram, which holds counts and no network",
            "name a network: `cantilena train` makes one unless it is told --model ngram",
        )

    def stored(self, array: NDArray[Any], *, half: bool = False) -> NDArray[Any]:
        """The smallest unsigned integers that hold the numbers; floats as float64."""
        if array.dtype.kind == "f":
            return np.ascontiguousarray(array, dtype=np.float64)
        largest = int(array.max(initial=0))
        dtype = next((short for short in (np.uint8, np.uint16, np.uint32) if largest <= np.iinfo(short).max), np.int64)
        return np.ascontiguousarray(array, dtype=dtype)


class VaeKind(ModelKind):
    """A VAE."""

    name = "vae"
    label = "VAE"
    options = VaeOptions
    dtypes = _FLOATS

    def check(self, bundle: Bundle) -> None:
        """Check the encoding and the shapes of the weights."""
        assert isinstance(bundle.options, VaeOptions)
        if bundle.is_tuned or bundle.ngram is not None:
            raise BundleError("this bundle says that a VAE was tuned or blended, which is not possible", RETRY)
        if not bundle.encoding.is_timed:
            raise BundleError("this bundle holds a VAE of notes without time, which is not possible", RETRY)
        _check_weights(bundle.weights, vae_shapes(bundle.options, len(bundle.encoding.vocabulary)))

    def build(self, bundle: Bundle, precision: Precision) -> SequenceModel:
        """The VAE, in numpy."""
        assert isinstance(bundle.options, VaeOptions)
        return MelodyVae(bundle.options, bundle.weights)

    def network_options(self, bundle: Bundle) -> NetworkOptions:
        """Refuse: the network is no sequence model."""
        raise UsageError(
            "this model is a VAE, which holds no network that predicts tokens one after the other",
            "name a network: `cantilena train` makes one unless it is told --model vae",
        )


NETWORK, BLEND, NGRAM, VAE = NetworkKind(), BlendKind(), NGramKind(), VaeKind()
KINDS: tuple[ModelKind, ...] = (NETWORK, NGRAM, VAE)
"""The kinds that differ by the type of their options; a blend is a network with an n-gram beside it."""


def kind_of(options: Options, ngram: NGramPart | None = None) -> ModelKind:
    """The kind of a model with these options and n-gram."""
    kind = next(kind for kind in KINDS if isinstance(options, kind.options))
    return BLEND if kind is NETWORK and ngram is not None else kind


def torch_network(bundle: Bundle, weights: Weights) -> Network:
    """The network in torch."""
    from cantilena.models.network.module import Network

    assert isinstance(bundle.options, NetworkOptions)
    return Network(bundle.options, len(bundle.encoding.vocabulary)).load_weights(weights)


def _score_model(bundle: Bundle, weights: Weights, precision: Precision) -> ScoreModel:
    """The network in numpy if it is small, else in torch."""
    assert isinstance(bundle.options, NetworkOptions)
    if parameters(bundle.options, len(bundle.encoding.vocabulary)) <= MAX_NUMPY_PARAMETERS:
        return NumpyNetwork(bundle.options, weights)
    from cantilena.models.network.device import choose_precision

    network = torch_network(bundle, weights)
    network.stepping = choose_precision(precision, network.device)
    return network


def _part(bundle: Bundle) -> NGramPart:
    assert bundle.ngram is not None
    return bundle.ngram


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
