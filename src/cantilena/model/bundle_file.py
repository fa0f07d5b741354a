"""The bundle's file: safetensors with one JSON entry, read as if an enemy had written it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from cantilena.errors import BundleError, UsageError
from cantilena.model.ngram_options import NGramOptions
from cantilena.model.options import NetworkOptions
from cantilena.runs import whole_file

if TYPE_CHECKING:
    from cantilena.model.bundle import Bundle

Options = NetworkOptions | NGramOptions

_SHAPES: dict[int, type[Options]] = {1: NetworkOptions, 2: NGramOptions}
"""What a bundle of each format holds: networks are still written in the first, so that every Cantilena reads them."""

FORMAT = max(_SHAPES)
"""Raised when an older Cantilena could not read what this one writes."""

_ENTRY = "cantilena"
_KEYS = {"format", "options", "encoding", "tuned", "policy", "licence", "provenance"}
_TYPES: dict[type[Options], dict[str, type[np.generic]]] = {
    NetworkOptions: {"F32": np.float32, "F16": np.float32},
    NGramOptions: {"U8": np.int64, "U16": np.int64, "U32": np.int64, "I64": np.int64, "F64": np.float64},
}
"""What numbers may be stored as, and what they are read as."""

_HINT = "name a .safetensors file that `cantilena train` or `cantilena tune` wrote"


def write_bundle(path: Path, bundle: Bundle, *, half: bool, overwrite: bool) -> None:
    """Write a bundle, whole or not at all."""
    record = {
        "format": next(number for number, shape in _SHAPES.items() if isinstance(bundle.options, shape)),
        "options": dataclasses.asdict(bundle.options),
        "encoding": dict(bundle.encoding_description),
        "tuned": bundle.prior_weights is not None,
        "policy": bundle.policy,
        "licence": bundle.licence,
        "provenance": dict(bundle.provenance),
    }
    if isinstance(bundle.options, NGramOptions):
        tensors = {f"weights.{name}": _smallest(array) for name, array in bundle.weights.items()}
    else:
        kind = np.float16 if half else np.float32
        tensors = {f"weights.{name}": _stored(weight, kind) for name, weight in bundle.weights.items()}
        for name, weight in (bundle.prior_weights or {}).items():
            tensors[f"prior.{name}"] = _stored(weight, kind)
    text = json.dumps(record, ensure_ascii=True, allow_nan=False)
    with whole_file(path, overwrite=overwrite) as draft:
        draft.write_bytes(safetensors.numpy.save(tensors, metadata={_ENTRY: text}))


def read_bundle(path: Path) -> dict[str, Any]:
    """The fields of a `Bundle` from its file.

    Raises:
        BundleError: it is missing, damaged, no bundle, or of another version.
    """
    if not path.is_file():
        state = "is not a file" if path.exists() else "does not exist"
        raise BundleError(f"{path} {state}", _HINT)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            record = _record(file.metadata() or {})
            shape = _SHAPES[record["format"]]
            tensors = _tensors(file, shape)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as a bundle: {error}", _HINT) from error
    weights = {name.removeprefix("weights."): array for name, array in tensors.items() if name.startswith("weights.")}
    prior = {name.removeprefix("prior."): array for name, array in tensors.items() if name.startswith("prior.")}
    if len(weights) + len(prior) != len(tensors) or bool(prior) != record["tuned"]:
        raise BundleError("this bundle holds other weights than it says", _HINT)
    return {
        "options": _options(record["options"], shape),
        "weights": weights,
        "encoding_description": record["encoding"],
        "prior_weights": prior or None,
        "policy": record["policy"],
        "licence": record["licence"],
        "provenance": record["provenance"],
    }


def _stored(weight: NDArray[np.floating], kind: type[np.floating]) -> NDArray[np.floating]:
    largest = float(np.finfo(kind).max)  # a weight beyond it keeps its sign and stays a number
    return np.ascontiguousarray(np.clip(weight, -largest, largest), dtype=kind)


def _smallest(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the shortest unsigned integers that hold them; floats as float64."""
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, dtype=np.float64)
    largest = int(array.max(initial=0))
    kind = next((short for short in (np.uint8, np.uint16, np.uint32) if largest <= np.iinfo(short).max), np.int64)
    return np.ascontiguousarray(array, dtype=kind)


def _record(metadata: Mapping[str, str]) -> dict[str, Any]:
    if _ENTRY not in metadata:
        raise BundleError("this bundle is a safetensors file, but Cantilena did not write it", _HINT)
    try:
        record = json.loads(metadata[_ENTRY], parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise BundleError("this bundle's description is not JSON", _HINT) from error
    version = record.get("format") if isinstance(record, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise BundleError("this bundle does not say which format it has", _HINT)
    if version > FORMAT:
        raise BundleError(
            f"this bundle has format {version}, from a later Cantilena; this one reads format {FORMAT}",
            "update Cantilena: pip install --upgrade cantilena",
        )
    if version not in _SHAPES:
        raise BundleError(
            f"this bundle has format {version}, which no released Cantilena wrote; this one reads format {FORMAT}",
            "train or tune it again with this version",
        )
    if set(record) != _KEYS:
        odd = sorted(set(record) ^ _KEYS)[0]
        raise BundleError(
            f"this bundle's description {'lacks' if odd in _KEYS else 'has an unknown'} {odd[:80]!r}", _HINT
        )
    for key, kind in (("options", dict), ("encoding", dict), ("provenance", dict), ("policy", str), ("licence", str)):
        if not isinstance(record[key], kind):
            raise BundleError(f"this bundle's '{key}' is not what it should be", _HINT)
    checked: dict[str, Any] = record
    return checked


def _refused(constant: str) -> Any:  # noqa: ANN401
    raise ValueError(f"{constant} is not JSON")


def _tensors(file: Any, shape: type[Options]) -> dict[str, NDArray[Any]]:  # noqa: ANN401  (safetensors has no types)
    """All tensors as they are computed with; the library itself has checked that their sizes fit the file."""
    tensors, known = {}, _TYPES[shape]
    for name in file.keys():  # noqa: SIM118  (the file is no mapping)
        kind = file.get_slice(name).get_dtype()
        if kind not in known:
            raise BundleError(
                f"this bundle's weights {name[:80]!r} are of type {kind}, not {' or '.join(known)}", _HINT
            )
        tensors[name] = file.get_tensor(name).astype(known[kind])
    return tensors


def _options(record: Mapping[str, Any], shape: type[Options]) -> Options:
    fields = {entry.name: type(entry.default) for entry in dataclasses.fields(shape)}
    if set(record) != set(fields):
        odd = sorted(set(record) ^ set(fields))[0]
        raise BundleError(f"this bundle's options {'lack' if odd in fields else 'have an unknown'} {odd[:80]!r}", _HINT)
    values: dict[str, Any] = {}
    for name, kind in fields.items():
        value = record[name]
        if kind is tuple and isinstance(value, list) and all(type(entry) is int for entry in value):
            value = tuple(value)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise BundleError(f"this bundle's option '{name}' is not a {kind.__name__}", _HINT)
        values[name] = value
    try:
        return shape(**values)
    except UsageError as error:
        thing = "network" if shape is NetworkOptions else "n-gram"
        raise BundleError(f"this bundle's options make no {thing}: {error.text}", _HINT) from error
