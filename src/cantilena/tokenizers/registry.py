"""Builds encodings from their descriptions in model bundles, which are untrusted input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cantilena.errors import BundleError, UsageError
from cantilena.tokenizers.events import EventsEncoding
from cantilena.tokenizers.grid import GridEncoding
from cantilena.tokenizers.notes import NotesEncoding
from cantilena.tokenizers.protocol import Encoding

_HINT = "the bundle is damaged or of another version: make it again, or update cantilena"
_FIELDS = {
    "grid": {"low", "high", "steps_per_quarter"},
    "events": {"chords", "vocabulary"},
    "notes": {"durations", "low", "high", "chords"},
}


def encoding_from(description: Mapping[str, Any]) -> Encoding:
    """Build an encoding from what `Encoding.description` returned.

    Raises:
        BundleError: the name is unknown, or the fields are not those of the encoding or have invalid values.

    Examples:
        >>> encoding_from({"name": "grid", "low": 48, "high": 83, "steps_per_quarter": 4})
        GridEncoding(low=48, high=83, steps_per_quarter=4)
    """
    fields = dict(description) if isinstance(description, Mapping) else {}
    name = fields.pop("name", None)
    if not isinstance(name, str) or name not in _FIELDS:
        raise BundleError(f"there is no encoding {name!r}", _HINT)
    if set(fields) != _FIELDS[name]:
        odd = sorted(map(str, set(fields) ^ _FIELDS[name]))
        raise BundleError(f"the {name} encoding has missing or unknown fields: {', '.join(odd)}", _HINT)
    try:
        return _BUILD[name](fields)
    except UsageError as error:
        raise BundleError(f"the {name} encoding has invalid values: {error.text}", _HINT) from error


def _grid(fields: dict[str, Any]) -> GridEncoding:
    for field, value in fields.items():
        if type(value) is not int:  # JSON's true is not 1
            raise UsageError(f"{field} is {value!r}")
    return GridEncoding(**fields)


def _events(fields: dict[str, Any]) -> EventsEncoding:
    vocabulary, chords = fields["vocabulary"], fields["chords"]
    if not isinstance(vocabulary, list | tuple) or not all(isinstance(name, str) for name in vocabulary):
        raise UsageError("vocabulary is not a list of names")
    if not isinstance(chords, str):
        raise UsageError(f"chords is {chords!r}")
    return EventsEncoding(tuple(vocabulary), chords)  # type: ignore[arg-type]


def _notes(fields: dict[str, Any]) -> NotesEncoding:
    durations, low, high, chords = (fields[name] for name in ("durations", "low", "high", "chords"))
    if type(low) is not int or type(high) is not int:
        raise UsageError(f"the range is {low!r} to {high!r}")
    for numbers in (durations, *(chords if isinstance(chords, list | tuple) else (None,))):
        if not isinstance(numbers, list | tuple) or any(type(number) is not int for number in numbers):
            raise UsageError("durations or chords are not lists of whole numbers")
    return NotesEncoding(tuple(durations), low, high, tuple(map(tuple, chords)))


_BUILD: dict[str, Callable[[dict[str, Any]], Encoding]] = {"grid": _grid, "events": _events, "notes": _notes}
