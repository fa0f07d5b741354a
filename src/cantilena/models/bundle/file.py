"""The file of a bundle: safetensors with one JSON entry; reading treats it as untrusted input."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from cantilena.errors import BundleError, UsageError
from cantilena.models.bundle.kinds import NETWORK, NGRAM, VAE, ModelKind, Options, kind_of
from cantilena.models.bundle.quantization import dequantize, quantize, to_floats
from cantilena.models.network.options import NetworkOptions
from cantilena.models.ngram.bundle import NGramPart
from cantilena.models.ngram.options import NGramOptions
from cantilena.runtime import atomic_file, record_name

if TYPE_CHECKING:
    from cantilena.models.bundle.bundle import Bundle

_FORMATS: dict[int, tuple[ModelKind, tuple[str, ...]]] = {
    1: (NETWORK, ()),
    2: (NGRAM, ()),
    3: (NETWORK, ("echoes", "attention", "copy_head", "reach")),
    4: (NETWORK, ()),  # always blended with an n-gram
    5: (NETWORK, ("conditions", "styles")),
    6: (NETWORK, ("heads",)),
    7: (VAE, ()),
    8: (NETWORK, ()),  # large matrices may be 8-bit integers
    9: (NETWORK, ("durations", "pitches", "without", "plan", "melodic", "head", "modes")),
    10: (NETWORK, ()),  # weights that tuning has not changed are stored once
    11: (NETWORK, ("harmony",)),
}
"""The kind of model of each format, and the options that it introduced. A bundle is written in the earliest format that
represents it, so that earlier versions of Cantilena read it if they can, and do not misread it if they cannot."""

_CORE_FORMATS = {"transformer": 6}
"""The cores that a format introduced; the others were there from the first."""

_STRING_OPTIONS = ("conditions", "styles", "without", "modes")
"""Options that are lists of strings; other lists hold whole numbers."""

_BLEND = 4
"""The first format with n-grams beside networks; in later ones the n-gram is optional."""

_INT8 = 8
"""The first format with 8-bit integers."""

_SHARED = 10
"""The first format in which a tuned bundle lacks weights of its prior that equal the tuned ones."""

FORMAT = max(_FORMATS)
"""The latest format, raised when earlier versions of Cantilena could not read what this one writes."""

_ENTRY = "cantilena"
_WEIGHTS, _PRIOR, _NGRAM = "weights.", "prior.", "ngram."
"""Prefixes of the names of tensors."""
_KEYS = {"format", "options", "encoding", "tuned", "policy", "licence", "provenance"}

_HINT = "name a .safetensors file that `cantilena train` or `cantilena tune` wrote"


def write_bundle(path: Path, bundle: Bundle, *, half: bool, int8: bool, overwrite: bool) -> None:
    """Write a bundle atomically; arguments and errors as of `Bundle.save`."""
    if int8 and not isinstance(bundle.options, NetworkOptions):
        raise UsageError("only a network's weights are stored as 8-bit integers", "store it as it is, or with half")
    prior = dict(bundle.prior_weights or {})
    changed = {name: weight for name, weight in prior.items() if not np.array_equal(weight, bundle.weights[name])}
    shares = 0 < len(changed) < len(prior) and bundle.kind is NETWORK
    number = max(_format_of(bundle.options), 1 if bundle.ngram is None else _BLEND, _INT8 if int8 else 1)
    number = max(number, _SHARED if shares else 1)
    record: dict[str, Any] = {
        "format": number,
        "options": _options_record(bundle.options, _later_options(number)),
        "encoding": dict(bundle.encoding_description),
        "tuned": bundle.prior_weights is not None,
        "policy": bundle.policy,
        "licence": bundle.licence,
        "provenance": dict(bundle.provenance),
    }
    named = {_WEIGHTS + name: weight for name, weight in bundle.weights.items()}
    named |= {_PRIOR + name: weight for name, weight in (changed if shares else prior).items()}
    if int8:
        tensors = quantize(named)
    elif bundle.kind is NGRAM:
        tensors = {name: _smallest(array) for name, array in named.items()}
    else:
        tensors = {name: to_floats(weight, np.float16 if half else np.float32) for name, weight in named.items()}
    if bundle.ngram is not None:
        record["ngram"] = {"options": _options_record(bundle.ngram.options), "share": bundle.ngram.share}
        tensors |= {_NGRAM + name: _smallest(array) for name, array in bundle.ngram.arrays.items()}
    text = json.dumps(record, ensure_ascii=True, allow_nan=False)
    with atomic_file(path, overwrite=overwrite) as draft:
        draft.write_bytes(safetensors.numpy.save(tensors, metadata={_ENTRY: text}))


def read_bundle(path: Path) -> dict[str, Any]:
    """The fields of a `Bundle` from its file.

    Raises:
        BundleError: it is missing, damaged, not a bundle, or of another version.
    """
    if not path.is_file():
        state = "is not a file" if path.exists() else "does not exist"
        raise BundleError(f"{path} {state}", _HINT)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            record = _read_record(file.metadata() or {})
            number = record["format"]
            kind = _FORMATS[number][0]
            tensors = dequantize(_read_tensors(file, kind, number))
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as a bundle: {error}", _HINT) from error
    weights, prior, counts = (
        {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
        for prefix in (_WEIGHTS, _PRIOR, _NGRAM)
    )
    complete = len(weights) + len(prior) + len(counts) == len(tensors)
    if prior and number >= _SHARED:
        prior = weights | prior
    if not complete or bool(prior) != record["tuned"] or bool(counts) != ("ngram" in record):
        raise BundleError("this bundle holds other weights than it says", _HINT)
    options = _read_options(record["options"], kind, _later_options(number))
    core = getattr(options, "core", "")
    if number < _CORE_FORMATS.get(core, 1):
        raise BundleError(f"this bundle has format {number}, which knows no core '{core}'", _HINT)
    return {
        "options": options,
        "weights": weights,
        "encoding_description": record["encoding"],
        "prior_weights": prior or None,
        "policy": record["policy"],
        "licence": record["licence"],
        "provenance": record["provenance"],
        "ngram": _read_ngram(record["ngram"], counts) if counts else None,
    }


def _smallest(array: NDArray[Any]) -> NDArray[Any]:
    """Counts in the smallest unsigned integers that hold them; floats as float64."""
    if array.dtype.kind == "f":
        return np.ascontiguousarray(array, dtype=np.float64)
    largest = int(array.max(initial=0))
    dtype = next((short for short in (np.uint8, np.uint16, np.uint32) if largest <= np.iinfo(short).max), np.int64)
    return np.ascontiguousarray(array, dtype=dtype)


def _format_of(options: Options) -> int:
    """The earliest format that represents all options of a model."""
    kind, first = kind_of(options), _CORE_FORMATS.get(getattr(options, "core", ""), 1)
    record, default = _options_record(options), _options_record(type(options)())
    changed = {name for name, value in record.items() if value != default[name]}
    return next(
        number
        for number, (its_kind, _) in _FORMATS.items()
        if its_kind is kind and number >= first and not changed & _later_options(number)
    )


def _later_options(number: int) -> set[str]:
    """The options of its kind of model that later formats introduced."""
    kind = _FORMATS[number][0]
    return {name for since, (its, added) in _FORMATS.items() if since > number and its is kind for name in added}


def _options_record(options: Options, late: Collection[str] = ()) -> dict[str, Any]:
    fields = dataclasses.fields(options)
    return {record_name(field): getattr(options, field.name) for field in fields if record_name(field) not in late}


def _read_record(metadata: Mapping[str, str]) -> dict[str, Any]:
    if _ENTRY not in metadata:
        raise BundleError("this bundle is a safetensors file, but Cantilena did not write it", _HINT)
    try:
        record = json.loads(metadata[_ENTRY], parse_constant=_refuse_constant)
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
    if version not in _FORMATS:
        raise BundleError(
            f"this bundle has format {version}, which no released Cantilena wrote; this one reads format {FORMAT}",
            "train or tune it again with this version",
        )
    blended = version == _BLEND or (version > _BLEND and "ngram" in record)
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


def _refuse_constant(constant: str) -> Any:  # noqa: ANN401
    raise ValueError(f"{constant} is not JSON")


def _read_tensors(file: Any, kind: ModelKind, number: int) -> dict[str, NDArray[Any]]:  # noqa: ANN401  (untyped)
    """All tensors in the types of computation; the library has checked that their sizes fit the file."""
    tensors = {}
    for name in file.keys():  # noqa: SIM118  (not a mapping)
        dtypes = NGRAM.dtypes if name.startswith(_NGRAM) else kind.dtypes
        stored = file.get_slice(name).get_dtype()
        if number >= _INT8 and stored == "I8" and not name.startswith(_NGRAM):
            tensors[name] = file.get_tensor(name)
            continue
        if stored not in dtypes:
            raise BundleError(
                f"this bundle's weights {name[:80]!r} are of type {stored}, not {' or '.join(dtypes)}", _HINT
            )
        tensors[name] = file.get_tensor(name).astype(dtypes[stored])
    return tensors


def _read_options(record: Mapping[str, Any], kind: ModelKind, late: Collection[str] = ()) -> Options:
    """The options of a record; those that came after its format have their defaults."""
    fields = {name: field for field in dataclasses.fields(kind.options) if (name := record_name(field)) not in late}
    if set(record) != set(fields):
        odd = sorted(set(record) ^ set(fields))[0]
        raise BundleError(f"this bundle's options {'lack' if odd in fields else 'have an unknown'} {odd[:80]!r}", _HINT)
    values: dict[str, Any] = {}
    for name, field in fields.items():
        value, wanted = record[name], type(field.default)
        if wanted is tuple and isinstance(value, list):
            entry_type = str if name in _STRING_OPTIONS else int
            value = tuple(value) if all(type(entry) is entry_type for entry in value) else value
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise BundleError(f"this bundle's option '{name}' is not a {wanted.__name__}", _HINT)
        values[field.name] = value
    try:
        options: Options = kind.options(**values)
    except UsageError as error:
        raise BundleError(f"this bundle's options make no {kind.label}: {error.text}", _HINT) from error
    return options


def _read_ngram(record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> NGramPart:
    """The n-gram of a blend."""
    if set(record) != {"options", "share"} or not isinstance(record["options"], dict):
        raise BundleError("this bundle's 'ngram' is not what it should be", _HINT)
    if type(record["share"]) is not float:
        raise BundleError("this bundle's share of the n-gram is not a float", _HINT)
    options = _read_options(record["options"], NGRAM)
    assert isinstance(options, NGramOptions)
    return NGramPart(options, arrays, record["share"])
