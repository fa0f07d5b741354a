"""The bundle: one self-describing file that holds a model.

A `.safetensors` file: the weights of a network or VAE or the counts of an n-gram under `weights.`, the weights before
tuning under `prior.`, the counts of a blended n-gram under `ngram.`, and one entry of metadata, `cantilena`, with the
rest as JSON. Nothing in it is ever executed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from cantilena.errors import BundleError, CantilenaError, UsageError
from cantilena.models.bundle.file import read_bundle, write_bundle
from cantilena.models.bundle.kinds import RETRY, ModelKind, Options, Weights, kind_of, torch_network
from cantilena.models.network.options import NetworkOptions, Precision
from cantilena.models.ngram.bundle import NGramPart
from cantilena.models.policy import POLICIES
from cantilena.models.protocol import SequenceModel
from cantilena.tokenizers import Encoding, encoding_from

if TYPE_CHECKING:
    from cantilena.models.network.module import Network

MODEL = "model.safetensors"
"""The name of the bundle in a run folder."""

_SHIPPED = Path(__file__).parents[1] / "shipped"


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained or tuned model with all that composing needs.

    Args:
        options: the shape of the network, n-gram or VAE.
        weights: the weights of the network or VAE by name, or the arrays of the n-gram (`ngram_arrays`).
        encoding_description: from which `encoding_from` builds the encoding.
        prior_weights: the weights before tuning; None if the model was not tuned.
        policy: how scores become probabilities: `likelihood softmax-q argmax-q psi g`.
        licence: of the corpus, for whoever passes the model on.
        provenance: how the model was made: `corpus`, `training`, `tuning`; JSON values.
        ngram: the n-gram that the network is blended with, if any.

    Raises:
        BundleError: the parts do not fit together.

    Examples:
        >>> import numpy as np
        >>> from cantilena.models import weight_shapes
        >>> from cantilena.tokenizers import GridEncoding
        >>> options, grid = NetworkOptions(width=8, embedding=8), GridEncoding()
        >>> weights = {name: np.zeros(shape) for name, shape in weight_shapes(options, len(grid.vocabulary)).items()}
        >>> bundle = Bundle(options, weights, grid.description())
        >>> bundle.encoding.vocabulary[2], bundle.model().vocabulary_size, bundle.kind.name
        ('C3', 38, 'network')
    """

    options: Options
    weights: Weights = field(repr=False)
    encoding_description: Mapping[str, Any]
    prior_weights: Weights | None = field(default=None, repr=False)
    policy: str = "likelihood"
    licence: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    ngram: NGramPart | None = None

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise BundleError(f"this bundle has an unknown policy {self.policy[:80]!r}", RETRY)
        if self.policy == "g" and self.prior_weights is None:
            raise BundleError("this bundle's policy g needs its prior's weights, which are missing", RETRY)
        self.kind.check(self)

    @cached_property
    def encoding(self) -> Encoding:
        """The meaning of the tokens."""
        try:
            return encoding_from(dict(self.encoding_description))
        except CantilenaError as error:
            raise BundleError(f"this bundle's encoding cannot be read: {error.text}", RETRY) from error

    @property
    def kind(self) -> ModelKind:
        """The kind of model: its `name` is `network`, `blend`, `ngram` or `vae`."""
        return kind_of(self.options, self.ngram)

    @property
    def is_tuned(self) -> bool:
        """Whether the model was tuned."""
        return self.policy != "likelihood" or self.prior_weights is not None

    def model(self, precision: Precision = "float32") -> SequenceModel:
        """The model as it composes: in numpy if it is small, else in torch.

        Args:
            precision: the type of the products of a network that steps in torch (`choose_precision`).

        Raises:
            UsageError: the precision is unknown, or bfloat16 is not supported here.
        """
        if precision not in get_args(Precision):
            raise UsageError(f"there is no precision '{precision}'", f"choose {', '.join(get_args(Precision))}")
        return self.kind.build(self, precision)

    def prior(self, precision: Precision = "float32") -> SequenceModel:
        """The model before tuning; the model itself if it was not tuned."""
        if not self.is_tuned:
            return self.model(precision)
        weights = self.weights if self.prior_weights is None else self.prior_weights
        return replace(self, weights=weights, prior_weights=None, policy="likelihood").model(precision)

    def network(self) -> Network:
        """The network in torch, to train or tune it further.

        Raises:
            UsageError: the bundle holds a VAE or an n-gram, alone or blended with a network.
        """
        self.network_options()
        return torch_network(self)

    def network_options(self) -> NetworkOptions:
        """The options of the network; errors as of `network`."""
        if self.kind.untrainable is not None:
            raise UsageError(*self.kind.untrainable)
        assert isinstance(self.options, NetworkOptions)
        return self.options

    def without_ngram(self) -> Bundle:
        """The network without the n-gram that it is blended with."""
        return self if self.ngram is None else replace(self, ngram=None)

    def save(self, path: Path, *, half: bool = False, int8: bool = False, overwrite: bool = True) -> None:
        """Write the bundle atomically.

        Args:
            path: conventionally with the suffix `.safetensors`.
            half: store weights as 16-bit floats, which halves the file; log p changes by about .001.
            int8: store large matrices of a network as 8-bit integers, which quarters the file.
            overwrite: whether an existing file may be replaced.

        Raises:
            RunError: the file exists and `overwrite` is False.
            InputError: it cannot be written.
            UsageError: `int8` for another kind than a network.
        """
        write_bundle(path, self, half=half, int8=int8, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path) -> Bundle:
        """Read a bundle; the file is untrusted input, and checked.

        Raises:
            BundleError: it is missing, damaged, not a bundle, or of another version.
        """
        try:
            return cls(**read_bundle(path))
        except BundleError as error:
            raise BundleError(error.text.replace("this bundle", str(path)), error.hint) from error


def find_bundle(name_or_path: str | Path) -> Path:
    """The file of a bundle.

    Args:
        name_or_path: a path, a run folder, a folder with a single bundle, the name of a model that ships with the
            package, or `hf://USER/NAME[@REVISION]` on the Hugging Face hub, from which it is downloaded.

    Raises:
        BundleError: there is none.
        UsageError: the name is empty.
        InputError: the hub does not return it.
        MissingError: the library of the hub is not installed.
    """
    if not str(name_or_path).strip():  # an unset shell variable must not mean the working folder
        raise UsageError("the model has no name", "name a bundle that ships with Cantilena, or a .safetensors file")
    if str(name_or_path).startswith("hf://"):
        from cantilena.models.bundle.hub import fetch_bundle

        return fetch_bundle(str(name_or_path))
    path = Path(name_or_path)
    if path.is_dir():
        inside = sorted(path.glob("*.safetensors"))
        if path / MODEL in inside:  # a run folder may hold a checkpoint, too
            return path / MODEL
        if len(inside) == 1:
            return inside[0]
        names = ", ".join(entry.name for entry in inside[:5]) or "none"
        raise BundleError(f"{path} does not hold one bundle but {names}", "name the .safetensors file itself")
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
    """The bundles that ship with the package, by name, each before those tuned from it.

    Examples:
        >>> "tunes+rl" in shipped_bundles()
        True
    """
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.safetensors"), key=lambda path: path.stem)}
