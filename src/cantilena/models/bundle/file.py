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
from cantilena.models.bundle.quantization import as_bytes, from_bytes
from cantilena.models.network.options import NetworkOptions
from cantilena.models.ngram.bundle import NGramPart
from cantilena.models.ngram.options import NGramOptions
from cantilena.models.vae.options import VaeOptions
from cantilena.runtime import atomic_file

if TYPE_CHECKING:
    from cantilena.models.bundle.bundle import Bundle

Options = NetworkOptions | NGramOptions | VaeOptions

_SHAPES: dict[int, type[Options]] = {
    1: NetworkOptions,
    2: NGramOptions,
    3: NetworkOptions,
    4: NetworkOptions,
    5: NetworkOptions,
    6: NetworkOptions,
    7: VaeOptions,
    8: NetworkOptions,
}
"""What a bundle of each format holds. A network is written in the first format, so that every Cantilena reads it,
unless it has what came with the third: then no earlier one may take it for a network without."""

_ADDED: dict[int, tuple[str, ...]] = {
    3: ("echoes", "attention", "copy_head", "reach"),
    5: ("conditions", "styles"),
    6: ("heads",),
}
"""The options that came with a format: in an earlier one a network does not have them, whatever their defaults are."""

_CORES = {"transformer": 6}
"""The cores that came with a format; the others were there from the first."""

_OF_NAMES = ("conditions", "styles")
"""The options that hold names; other lists hold whole numbers."""

BLEND = 4
"""The first format of a network blended with an n-gram, whose description says `ngram` beside the rest. This one holds
nothing but blends; in later ones there may be an n-gram or not."""

BYTES = 8
"""The first format in which a network's large matrices may be bytes (`byte_weights.py`)."""

FORMAT = max(_SHAPES)
"""The latest that this version reads; raised when an older Cantilena could not read what this one writes."""

_ENTRY = "cantilena"
_NGRAM = "ngram."
"""Begins the names of a blend's counts."""
_KEYS = {"format", "options", "encoding", "tuned", "policy", "licence", "provenance"}
_TYPES: dict[type[Options], dict[str, type[np.generic]]] = {
    NetworkOptions: {"F32": np.float32, "F16": np.float32},
    VaeOptions: {"F32": np.float32, "F16": np.float32},
    NGramOptions: {"U8": np.int64, "U16": np.int64, "U32": np.int64, "I64": np.int64, "F64": np.float64},
}
"""What numbers may be stored as, and what they are read as."""

_THINGS: dict[type[Options], str] = {NetworkOptions: "network", NGramOptions: "n-gram", VaeOptions: "VAE"}

_HINT = "name a .safetensors file that `cantilena train` or `cantilena tune` wrote"


def write_bundle(path: Path, bundle: Bundle, *, half: bool, whole: bool, overwrite: bool) -> None:
    """Write a bundle, whole or not at all."""
    if whole and not isinstance(bundle.options, NetworkOptions):
        raise UsageError("only a network's weights are stored as bytes", "store it as it is, or with half")
    number = max(_format_of(bundle.options), 1 if bundle.ngram is None else BLEND, BYTES if whole else 1)
    late = _later_than(number)
    record: dict[str, Any] = {
        "format": number,
        "options": {name: value for name, value in dataclasses.asdict(bundle.options).items() if name not in late},
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
    if whole:
        named = (("weights.", bundle.weights), ("prior.", bundle.prior_weights or {}))
        tensors = as_bytes({part + name: weight for part, some in named for name, weight in some.items()})
    if bundle.ngram is not None:
        record["ngram"] = {"options": dataclasses.asdict(bundle.ngram.options), "share": bundle.ngram.share}
        tensors |= {f"ngram.{name}": _smallest(array) for name, array in bundle.ngram.arrays.items()}
    text = json.dumps(record, ensure_ascii=True, allow_nan=False)
    with atomic_file(path, overwrite=overwrite) as draft:
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
            number = record["format"]
            shape = _SHAPES[number]
            tensors = from_bytes(_tensors(file, shape, number))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as a bundle: {error}", _HINT) from error
    weights, prior, counted = (
        {name.removeprefix(part): array for name, array in tensors.items() if name.startswith(part)}
        for part in ("weights.", "prior.", _NGRAM)
    )
    if (
        len(weights) + len(prior) + len(counted) != len(tensors)
        or bool(prior) != record["tuned"]
        or bool(counted) != ("ngram" in record)
    ):
        raise BundleError("this bundle holds other weights than it says", _HINT)
    options = _options(record["options"], shape, _later_than(number))
    if isinstance(options, NetworkOptions) and number < _CORES.get(options.core, 1):
        raise BundleError(f"this bundle has format {number}, which knows no core '{options.core}'", _HINT)
    return {
        "options": options,
        "weights": weights,
        "encoding_description": record["encoding"],
        "prior_weights": prior or None,
        "policy": record["policy"],
        "licence": record["licence"],
        "provenance": record["provenance"],
        "ngram": _ngram(record["ngram"], counted) if counted else None,
    }


def _ngram(record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> NGramPart:
    """What a network is blended with."""
    if set(record) != {"options", "share"} or not isinstance(record["options"], dict):
        raise BundleError("this bundle's 'ngram' is not what it should be", _HINT)
    if type(record["share"]) is not float:
        raise BundleError("this bundle's share of the n-gram is not a float", _HINT)
    options = _options(record["options"], NGramOptions, set())
    assert isinstance(options, NGramOptions)
    return NGramPart(options, arrays, record["share"])


def _format_of(options: Options) -> int:
    """The earliest format that says all of a model's options."""
    plain = type(options)()
    first = _CORES.get(options.core, 1) if isinstance(options, NetworkOptions) else 1
    formats = [number for number, shape in _SHAPES.items() if isinstance(options, shape) and number >= first]
    return next(
        number
        for number in formats
        if all(getattr(options, name) == getattr(plain, name) for name in _later_than(number))
    )


def _later_than(number: int) -> set[str]:
    """The options of its kind of model that a format does not have yet."""
    later = (since for since in _ADDED if since > number and _SHAPES[since] is _SHAPES[number])
    return {name for since in later for name in _ADDED[since]}


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
    blended = version == BLEND or (version > BLEND and "ngram" in record)
    keys = _KEYS | {"ngram"} if blended else _KEYS
    if set(record) != keys:
        odd = sorted(set(record) ^ keys)[0]
        raise BundleError(
            f"this bundle's description {'lacks' if odd in keys else 'has an unknown'} {odd[:80]!r}", _HINT
        )
    for key in sorted(keys - {"format", "tuned"}):
        if not isinstance(record[key], str if key in ("policy", "licence") else dict):
            raise BundleError(f"this bundle's '{key}' is not what it should be", _HINT)
    checked: dict[str, Any] = record
    return checked


def _refused(constant: str) -> Any:  # noqa: ANN401
    raise ValueError(f"{constant} is not JSON")


def _tensors(file: Any, shape: type[Options], number: int) -> dict[str, NDArray[Any]]:  # noqa: ANN401  (it has no types)
    """All tensors as they are computed with; the library itself has checked that their sizes fit the file."""
    tensors = {}
    for name in file.keys():  # noqa: SIM118  (the file is no mapping)
        known = _TYPES[NGramOptions if name.startswith(_NGRAM) else shape]
        kind = file.get_slice(name).get_dtype()
        if number >= BYTES and kind == "I8" and not name.startswith(_NGRAM):
            tensors[name] = file.get_tensor(name)
            continue
        if kind not in known:
            raise BundleError(
                f"this bundle's weights {name[:80]!r} are of type {kind}, not {' or '.join(known)}", _HINT
            )
        tensors[name] = file.get_tensor(name).astype(known[kind])
    return tensors


def _options(record: Mapping[str, Any], shape: type[Options], late: set[str]) -> Options:
    """The options of a record, those that came after its format at their defaults."""
    fields = {entry.name: type(entry.default) for entry in dataclasses.fields(shape) if entry.name not in late}
    if set(record) != set(fields):
        odd = sorted(set(record) ^ set(fields))[0]
        raise BundleError(f"this bundle's options {'lack' if odd in fields else 'have an unknown'} {odd[:80]!r}", _HINT)
    values: dict[str, Any] = {}
    for name, kind in fields.items():
        value = record[name]
        if kind is tuple and isinstance(value, list):
            inside = str if name in _OF_NAMES else int
            value = tuple(value) if all(type(entry) is inside for entry in value) else value
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise BundleError(f"this bundle's option '{name}' is not a {kind.__name__}", _HINT)
        values[name] = value
    try:
        return shape(**values)
    except UsageError as error:
        raise BundleError(f"this bundle's options make no {_THINGS[shape]}: {error.text}", _HINT) from error
