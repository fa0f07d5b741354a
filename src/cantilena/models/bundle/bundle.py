"""The bundle: one file that holds a model and says everything about it.

A `.safetensors` file: a network's or a VAE's weights or an n-gram's counts under `weights.`, a network's weights before
tuning under `prior.`, the counts of an n-gram that a network is blended with under `ngram.`, and one entry of metadata,
`cantilena`, with the rest as JSON. Nothing in it is ever executed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import BundleError, CantilenaError, UsageError
from cantilena.models.bundle.file import read_bundle, write_bundle
from cantilena.models.network.inference import NumpyNetwork
from cantilena.models.network.options import NetworkOptions, Precision
from cantilena.models.network.weights import parameters, weight_shapes
from cantilena.models.ngram.bundle import NGramPart, check_ngram, ngram_of
from cantilena.models.ngram.options import NGramOptions
from cantilena.models.policy import POLICIES, PolicyModel, ScoreModel
from cantilena.models.protocol import SequenceModel
from cantilena.models.vae.inference import MelodyVae
from cantilena.models.vae.options import VaeOptions, vae_shapes
from cantilena.tokenizers import Encoding, encoding_from

if TYPE_CHECKING:
    from cantilena.models.network.module import Network

Weights = Mapping[str, NDArray[Any]]

SMALL = 5_000_000
"""Up to so many weights a network is stepped in numpy; above, torch is worth its import."""

MODEL = "model.safetensors"
"""What a run calls the bundle that it leaves."""

_SHIPPED = Path(__file__).parents[1] / "shipped"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained or tuned model with all that composing needs.

    Args:
        options: the shape of the network, of the n-gram or of the VAE.
        weights: the network's weights by name, or the n-gram's arrays (`ngram_arrays`).
        encoding_description: what `encoding_from` builds the encoding from.
        prior_weights: the weights before tuning, None where the model was not tuned; an n-gram never is.
        policy: how scores become probabilities: `likelihood softmax-q argmax-q psi g`.
        licence: of the corpus, for whoever passes the model on.
        provenance: how it came to be: `corpus`, `training`, `tuning`; JSON values.
        ngram: what the network is blended with, None where it stands alone.

    Raises:
        BundleError: parts that do not fit together.

    Example:
        >>> from cantilena.tokenizers import GridEncoding
        >>> options, grid = NetworkOptions(width=8, embedding=8), GridEncoding()
        >>> weights = {name: np.zeros(shape) for name, shape in weight_shapes(options, len(grid.vocabulary)).items()}
        >>> bundle = Bundle(options, weights, grid.description())
        >>> bundle.encoding.vocabulary[2], bundle.model().vocabulary_size
        ('C3', 38)
    """

    options: NetworkOptions | NGramOptions | VaeOptions
    weights: Weights = field(repr=False)
    encoding_description: Mapping[str, Any]
    prior_weights: Weights | None = field(default=None, repr=False)
    policy: str = "likelihood"
    licence: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    ngram: NGramPart | None = None

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise BundleError(f"this bundle has an unknown policy {self.policy[:80]!r}", _AGAIN)
        if self.policy == "g" and self.prior_weights is None:
            raise BundleError("this bundle's policy g needs its prior's weights, which are missing", _AGAIN)
        tuned = self.policy != "likelihood" or self.prior_weights is not None
        if tuned and (self.ngram is not None or isinstance(self.options, NGramOptions)):
            raise BundleError("this bundle says that an n-gram was tuned, which cannot be", _AGAIN)
        if isinstance(self.options, VaeOptions):
            if tuned or self.ngram is not None:
                raise BundleError("this bundle says that a VAE was tuned or blended, which cannot be", _AGAIN)
            if not self.encoding.tells_time:
                raise BundleError("this bundle holds a VAE of notes without time, which cannot be", _AGAIN)
            _check_weights(self.weights, vae_shapes(self.options, len(self.encoding.vocabulary)))
            return
        if isinstance(self.options, NGramOptions):
            if self.ngram is not None:
                raise BundleError("this bundle blends two n-grams, which cannot be", _AGAIN)
            check_ngram(self.weights, len(self.encoding.vocabulary))
            return
        if self.ngram is not None:
            if not 0.0 <= self.ngram.share <= 1.0:
                raise BundleError(
                    f"this bundle's n-gram has a share of {self.ngram.share:g}, not one from 0 to 1", _AGAIN
                )
            check_ngram(self.ngram.arrays, len(self.encoding.vocabulary))
        shapes = weight_shapes(self.options, len(self.encoding.vocabulary))
        for weights in (self.weights, self.prior_weights):
            if weights is not None:
                _check_weights(weights, shapes)

    @cached_property
    def encoding(self) -> Encoding:
        """What the tokens mean."""
        try:
            encoding: Encoding = encoding_from(dict(self.encoding_description))
        except CantilenaError as error:
            raise BundleError(f"this bundle's encoding cannot be read: {error.text}", _AGAIN) from error
        return encoding

    def model(self, precision: Precision = "float32") -> SequenceModel:
        """The model as it composes: a network in numpy where it is small, else in torch; an n-gram compiled; both.

        Args:
            precision: what a network in torch multiplies in while it steps (`choose_precision`); others are float32.

        Raises:
            UsageError: an unknown precision, or bfloat16 where this machine cannot compute in it.
        """
        if precision not in get_args(Precision):
            raise UsageError(f"there is no precision '{precision}'", f"choose {', '.join(get_args(Precision))}")
        if isinstance(self.options, NGramOptions):
            return ngram_of(self.options, self.weights, len(self.encoding.vocabulary))
        if isinstance(self.options, VaeOptions):
            return MelodyVae(self.options, self.weights)
        if self.ngram is not None:
            from cantilena.models.ngram.blend import Blend  # it compiles loops: only who predicts waits for numba

            counted = ngram_of(self.ngram.options, self.ngram.arrays, len(self.encoding.vocabulary))
            return Blend(self._scores(self.weights, precision), counted, self.ngram.share)
        network = self._scores(self.weights, precision)
        prior = None
        if self.policy == "g" and self.prior_weights is not None:
            prior = self._scores(self.prior_weights, precision)
        return network if self.policy == "likelihood" else PolicyModel(network, self.policy, prior)

    def prior(self) -> SequenceModel:
        """The model before tuning; the model itself where it was not tuned."""
        if not isinstance(self.options, NetworkOptions) or self.ngram is not None:
            return self.model()
        return self._scores(self.weights if self.prior_weights is None else self.prior_weights)

    def network(self) -> Network:
        """The network in torch, to train or tune further.

        Raises:
            UsageError: the bundle holds a VAE or an n-gram, alone or blended with a network.
        """
        return self._torch(self.network_options(), self.weights)

    def network_options(self) -> NetworkOptions:
        """The shape of the network, which can be trained or tuned further.

        Raises:
            UsageError: the bundle holds a VAE or an n-gram, alone or blended with a network.
        """
        if self.ngram is not None:
            raise UsageError(
                "this model blends a network with an n-gram, which learns nothing further",
                "take the network alone: Bundle.unblended, or `cantilena train --no-blend`",
            )
        return self._network_options()

    def unblended(self) -> Bundle:
        """The network alone, without the n-gram that it was blended with; itself where there is none."""
        return self if self.ngram is None else replace(self, ngram=None)

    def save(self, path: Path, *, half: bool = False, whole: bool = False, overwrite: bool = True) -> None:
        """Write the bundle, whole or not at all.

        Args:
            path: by custom it ends in `.safetensors`.
            half: store a network's weights as 16-bit floats, for a file half as long; log p moves by about .001.
            whole: store a network's large matrices as whole numbers of 8 bits, for a file a quarter as long.
            overwrite: whether a file already there may be replaced.

        Raises:
            RunError: something is there and `overwrite` is off.
            InputError: it cannot be written.
            UsageError: whole numbers of what is no network.
        """
        write_bundle(path, self, half=half, whole=whole, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path) -> Bundle:
        """Read a bundle; every claim of the file is checked before it is believed.

        Raises:
            BundleError: it is missing, damaged, no bundle, or of another version.
        """
        try:
            return cls(**read_bundle(path))
        except BundleError as error:
            raise BundleError(error.text.replace("this bundle", str(path)), error.hint) from error

    def _network_options(self) -> NetworkOptions:
        if isinstance(self.options, NGramOptions):
            raise UsageError(
                "this model is an n-gram, which holds counts and no network",
                "name a network: `cantilena train` makes one unless it is told --model ngram",
            )
        if isinstance(self.options, VaeOptions):
            raise UsageError(
                "this model is a VAE, which holds no network that predicts tokens one after the other",
                "name a network: `cantilena train` makes one unless it is told --model vae",
            )
        return self.options

    def _scores(self, weights: Weights, precision: Precision = "float32") -> ScoreModel:
        options = self._network_options()
        if parameters(options, len(self.encoding.vocabulary)) <= SMALL:
            return NumpyNetwork(options, weights)
        from cantilena.models.network.device import choose_precision

        network = self._torch(options, weights)
        network.stepping = choose_precision(precision, network.device)
        return network

    def _torch(self, options: NetworkOptions, weights: Weights) -> Network:
        from cantilena.models.network.module import Network

        return Network(options, len(self.encoding.vocabulary)).load_weights(weights)


def find_bundle(name_or_path: str | Path) -> Path:
    """The file of a bundle: a path, a run's folder, one with a single bundle in it, or the name of one that ships.

    `hf://USER/NAME[@REVISION]` is one on the Hugging Face hub, which is fetched (`models/bundle/hub.py`).

    Raises:
        BundleError: there is none.
        UsageError: an empty name.
        InputError: the hub does not give it.
        MissingError: the library of the hub is not installed.
    """
    if not str(name_or_path).strip():  # as an unset shell variable gives it; it would mean the working folder
        raise UsageError("the model has no name", "name a bundle that ships with Cantilena, or a .safetensors file")
    if str(name_or_path).startswith("hf://"):
        from cantilena.models.bundle.hub import fetched  # only who names the hub waits for it

        return fetched(str(name_or_path))
    path = Path(name_or_path)
    if path.is_dir():
        inside = sorted(path.glob("*.safetensors"))
        if path / MODEL in inside:  # a run's folder, where a checkpoint lies beside it
            return path / MODEL
        if len(inside) == 1:
            return inside[0]
        found = ", ".join(entry.name for entry in inside[:5]) or "none"
        raise BundleError(f"{path} does not hold one bundle but {found}", "name the .safetensors file itself")
    if path.exists():
        return path
    shipped = shipped_bundles()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    names = ", ".join(shipped) or "none in this installation"
    raise BundleError(
        f"there is no bundle '{name_or_path}'",
        f"give a path, hf://USER/NAME, or the name of a bundle that ships with Cantilena: {names}",
    )


def shipped_bundles() -> dict[str, Path]:
    """The bundles that ship with the package, by name, each before what was tuned from it.

    Example:
        >>> "tunes+rl" in shipped_bundles()
        True
    """
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.safetensors"), key=lambda path: path.stem)}


_AGAIN = "train or tune it again with this version, or ask whoever gave it to you for a new file"


def _check_weights(weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if set(weights) != set(shapes):
        odd = sorted(set(weights) ^ set(shapes))[0]
        state = "lacks" if odd in shapes else "has"
        raise BundleError(f"this bundle {state} the weights {odd[:80]!r}, against its options", _AGAIN)
    for name, shape in shapes.items():
        weight = weights[name]
        if weight.shape != shape:
            raise BundleError(
                f"this bundle's weights '{name}' have shape {weight.shape}, its options say {shape}", _AGAIN
            )
        # The sum is finite exactly if every number is, short of an overflow that float64 cannot reach here.
        if not math.isfinite(float(np.sum(weight, dtype=np.float64))):
            raise BundleError(f"this bundle's weights '{name}' are not all finite", _AGAIN)
