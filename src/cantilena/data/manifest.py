"""The manifest of a corpus: its provenance, what was read and what was skipped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cantilena.errors import CorpusError

FORMAT = 1
"""The version of the file format; a file of another version is refused."""

MANIFEST_KEY = b"cantilena"
"""The key of the manifest in the metadata of a table."""

NEAR_DUPLICATE = "near-duplicate of "
"""The beginning of the reason of a skipped near-duplicate."""


@dataclass(frozen=True, slots=True)
class Skipped:
    r"""A file, or a melody of a file, that is not in the corpus.

    Args:
        file: its path below the folder that was read; `book.abc#3` is the third melody of a file.
        reason: why, in one line.

    Examples:
        >>> Skipped("two\nlines.mid", "no notes").file
        'two\\nlines.mid'
    """

    file: str
    reason: str

    def __post_init__(self) -> None:
        # Names and reasons come from untrusted files: line breaks and escape sequences must not reach a terminal.
        object.__setattr__(self, "file", _visible(self.file))
        object.__setattr__(self, "reason", _visible(self.reason))


@dataclass(frozen=True, slots=True)
class DoubtfulPlace:
    """A place in a file that could not be read for certain, or of which something is not kept.

    Args:
        file: the path of the file below the folder that was read, with `#` and the number of the melody in a book.
        bar: number of the bar, or "".
        voice: name of the part or voice, or "".
        text: what it is, in one line.
    """

    file: str
    bar: str
    voice: str
    text: str

    def __post_init__(self) -> None:
        for name in ("file", "bar", "voice", "text"):
            object.__setattr__(self, name, _visible(getattr(self, name)))


@dataclass(frozen=True)
class Manifest:
    """The provenance of a corpus.

    Args:
        name: its name.
        licence: its licence, one line; "" if unknown.
        description: its content, one line.
        read: number of files with at least one melody.
        skipped: what was left out, with reasons.
        ignored: number of files of each other suffix.
        options: the options of the reading, as JSON values.
        versions: versions of the software that read it.
        doubts: places of the files that could not be read for certain.

    Examples:
        >>> Manifest.from_json(Manifest("mine", read=2).to_json()).read
        2
    """

    name: str
    licence: str = ""
    description: str = ""
    read: int = 0
    skipped: tuple[Skipped, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[DoubtfulPlace, ...] = ()

    def to_json(self) -> str:
        """Return the manifest as one line of JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read what `to_json` wrote.

        Raises:
            CorpusError: it is not a manifest, or of another version.
        """
        try:
            record = json.loads(text)
            if not isinstance(record, dict):
                raise TypeError
            version = record["format"]
            if version != FORMAT:
                raise CorpusError(
                    f"the corpus file has format {str(version)[:20]}, this version reads format {FORMAT}",
                    "read the folder of scores again: cantilena corpus read DIR --out FILE",
                )
            return cls(
                name=str(record["name"]),
                licence=str(record["licence"]),
                description=str(record["description"]),
                read=int(record["read"]),
                skipped=tuple(Skipped(str(row["file"]), str(row["reason"])) for row in record["skipped"]),
                ignored={str(suffix): int(count) for suffix, count in record["ignored"].items()},
                options=dict(record["options"]),
                versions={str(name): str(version) for name, version in record["versions"].items()},
                doubts=tuple(
                    DoubtfulPlace(*(str(row[name]) for name in ("file", "bar", "voice", "text")))
                    for row in record.get("doubts", ())  # files of older versions have none
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CorpusError("the corpus file has a damaged manifest", "read the folder of scores again") from error


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
