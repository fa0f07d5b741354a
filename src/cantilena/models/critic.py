"""A critic of whole melodies of notes, in numpy: the log odds that people made a melody and not a model.

Each note, and the end, is described by what a network of notes reads there (`NoteFeatures`): the notes before, the
place in the bar and in the piece, what stood some bars earlier and for how long it has been repeated. With the sum x of
their rows of a table

    h = tanh(W tanh(x) + b)        for each note
    f = v . tanh(M [mean of h, deviation of h, h at the end] + m) + c

is trained to be log D - log(1 - D) of a discriminator D (I. Goodfellow et al. 2014), which for the best one is the log
ratio of the probabilities that people and the model give to the melody. Conditions and forms are not told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from cantilena.errors import BundleError
from cantilena.models.network.note_features import NoteFeatures
from cantilena.models.network.options import NetworkOptions
from cantilena.models.protocol import Bars
from cantilena.runtime import atomic_file, one_blas_thread
from cantilena.tokenizers import END, NotesEncoding, encoding_from

Ints = NDArray[np.int64]
Weights = Mapping[str, NDArray[np.float32]]

LOOK_BACK = (1, 2, 4, 8)
"""Bars back to the notes that the critic reads."""
WIDTH = 48
"""Size of all its layers."""

SHIPPED = Path(__file__).with_name("critics")
"""The critics that ship with the package, named as the models whose melodies they tell from people's."""

_ENTRY, _FORMAT = "cantilena-critic", 1
_MOST_BYTES = 2**26
_AT_ONCE = 64
LEAST_VARIANCE = 1e-6
_HINT = "name a file that `cantilena train critic` wrote"


def critic_features(encoding: NotesEncoding) -> NoteFeatures:
    """The features of notes that critics of an encoding read."""
    options = NetworkOptions(
        durations=encoding.durations,
        pitches=encoding.high - encoding.low + 1,
        look_back=LOOK_BACK,
        head_width=1,
    )
    return NoteFeatures(options, len(encoding.vocabulary))


def critic_rows(features: NoteFeatures, tokens: Ints, bars: Bars) -> list[NDArray[np.int32]]:
    """For each melody `(notes, columns)` rows of the table after each note up to the last one that sounds.

    The rests after it are left out: nobody hears them.

    Args:
        features: from `critic_features`.
        tokens: `(melodies, tokens)`, padded with `END`.
        bars: of the melodies, which they fill.
    """
    period = features.period
    tokens = np.concatenate([tokens, np.full((len(tokens), period), END)], axis=1)
    rows = features.encode(tokens, bars.without_conditions())[:, ::period, : features.columns]
    rest = 1 + len(features.options.durations) + features.options.pitches
    sounding = (tokens[:, ::period] != END) & (tokens[:, 1::period] != rest)
    notes = np.where(sounding, np.arange(1, sounding.shape[1] + 1), 0).max(axis=1)
    return [row[1 : count + 1].astype(np.int32) for row, count in zip(rows, notes, strict=True)]


@dataclass(frozen=True)
class MelodyCritic:
    """A trained critic.

    Args:
        encoding: of the tokens.
        weights: by name: `table`, `inner.weight`, `inner.bias`, `deep.weight`, `deep.bias`, `out.weight`, `out.bias`.
        provenance: how it was trained.

    Raises:
        BundleError: the weights do not have the shapes of a critic of the encoding.
    """

    encoding: NotesEncoding
    weights: Weights
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = {name: weight.shape for name, weight in self.weights.items()}
        if shapes != critic_shapes(self.features.rows):
            raise BundleError("these weights are not those of a critic of this encoding", _HINT)

    @cached_property
    def features(self) -> NoteFeatures:
        """What it reads."""
        return critic_features(self.encoding)

    @one_blas_thread()
    def log_odds(self, tokens: Ints, bars: Bars) -> NDArray[np.float64]:
        """`(melodies,)` nats for `(melodies, tokens)` tokens, padded with `END`; 0 for a melody without notes."""
        parts = [
            [self._of(rows) for rows in critic_rows(self.features, tokens[some], bars[some])]
            for start in range(0, len(tokens), _AT_ONCE)
            for some in [np.arange(start, min(start + _AT_ONCE, len(tokens)))]
        ]
        return np.array([value for part in parts for value in part], dtype=np.float64)

    def _of(self, rows: NDArray[np.int32]) -> float:
        if not len(rows):
            return 0.0
        w = self.weights
        h = np.tanh(np.tanh(w["table"][rows].sum(axis=1)) @ w["inner.weight"].T + w["inner.bias"])
        deviation = np.sqrt(np.maximum(h.var(axis=0), LEAST_VARIANCE))
        deep = np.tanh(w["deep.weight"] @ np.concatenate([h.mean(axis=0), deviation, h[-1]]) + w["deep.bias"])
        return float((w["out.weight"] @ deep + w["out.bias"])[0])

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the critic with its weights as 16-bit floats."""
        record = {
            "format": _FORMAT,
            "encoding": dict(self.encoding.description()),
            "provenance": dict(self.provenance),
        }
        halves = {name: np.ascontiguousarray(weight, dtype=np.float16) for name, weight in self.weights.items()}
        with atomic_file(path, overwrite=overwrite) as draft:
            draft.write_bytes(safetensors.numpy.save(halves, metadata={_ENTRY: json.dumps(record)}))

    @classmethod
    def load(cls, path: Path) -> MelodyCritic:
        """Read a critic; the file is untrusted.

        Raises:
            BundleError: it is missing, too large, damaged or no critic.
        """
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise BundleError(f"{path} is too large for a critic", _HINT)
            with safetensors.safe_open(path, framework="numpy") as file:
                record = json.loads((file.metadata() or {}).get(_ENTRY, "null"))
                weights = {name: file.get_tensor(name).astype(np.float32) for name in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, OSError, ValueError, RecursionError) as error:
            raise BundleError(f"{path} cannot be read as a critic: {error}", _HINT) from error
        if not isinstance(record, dict) or record.get("format") != _FORMAT:
            raise BundleError(f"{path} is no critic", _HINT)
        encoding, provenance = encoding_from(record.get("encoding", {})), record.get("provenance")
        if not isinstance(encoding, NotesEncoding) or not isinstance(provenance, dict):
            raise BundleError(f"{path} is no critic of notes", _HINT)
        if not all(np.isfinite(weight).all() for weight in weights.values()):
            raise BundleError(f"{path} has weights that are not finite", _HINT)
        return cls(encoding, weights, provenance)


def find_critic(name_or_path: str | Path) -> Path:
    """The file of a critic: a path, or the name of a shipped model whose critic ships too.

    Raises:
        BundleError: there is neither.

    Examples:
        >>> find_critic("tunes").name
        'tunes.safetensors'
    """
    path, shipped = Path(name_or_path), {path.stem: path for path in SHIPPED.glob("*.safetensors")}
    found = path if path.is_file() else shipped.get(str(name_or_path))
    if found is None:
        raise BundleError(f"there is no critic '{name_or_path}'", f"{_HINT}, or one that ships: {', '.join(shipped)}")
    return found


def critic_shapes(rows: int) -> dict[str, tuple[int, ...]]:
    """The shape of each weight of a critic whose table has so many rows."""
    return {
        "table": (rows, WIDTH),
        "inner.weight": (WIDTH, WIDTH),
        "inner.bias": (WIDTH,),
        "deep.weight": (WIDTH, 3 * WIDTH),
        "deep.bias": (WIDTH,),
        "out.weight": (1, WIDTH),
        "out.bias": (1,),
    }
