"""What a bundle says it learned from: its corpora, their licences, and whom to name, in words safe to print."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cantilena.models import Bundle

PUBLIC_DOMAIN = "public domain"
"""How the licence of music begins that belongs to nobody."""

_COUNTS = ("melodies", "pieces", "notes")
_MOST = 8
"""Corpora that are told; a bundle that names more is not ours."""

_CREATIVE_COMMONS = re.compile(r"\bCC[ -]BY((?:-(?:NC|SA|ND))*)[ -](\d\.\d)", re.IGNORECASE)
_OTHERS = {
    "apache-2.0": r"\bapache[ -]?(license[ ,]*)?(version )?2(\.0)?\b",
    "mit": r"\bMIT\b",
    "cc0-1.0": r"\bCC0\b",
}


@dataclass(frozen=True)
class Source:
    """One corpus that a model learned from.

    Args:
        name: what it is called.
        licence: what may be done with it; "" if nothing is known.
        attribution: whom to name, "" if nobody must be.
        description: what it is, one line.
        counts: melodies, pieces and notes, those that are known.
    """

    name: str
    licence: str = ""
    attribution: str = ""
    description: str = ""
    counts: Mapping[str, int] | None = None

    def text(self) -> str:
        """One line of Markdown."""
        sizes = ", ".join(f"{count:,} {what}" for what, count in (self.counts or {}).items())
        about = "; ".join(part for part in (self.description, sizes) if part)
        licence = f"Licence: {self.licence or 'nothing is known about it'}."
        named = f" Attribution: {self.attribution}." if self.attribution else ""
        return f"- **{self.name}**{f' ({about})' if about else ''}. {licence}{named}"


def sources_of(bundle: Bundle) -> tuple[Source, ...]:
    """The corpora that a bundle's provenance names: one, several under `sources`, or a list of them.

    Whatever else stands there, from whoever made the file, is left out.

    Args:
        bundle: any bundle.

    Example:
        >>> from cantilena.models import find_bundle
        >>> [(source.name, source.licence) for source in sources_of(Bundle.load(find_bundle("tunes")))]
        [('tunes', 'public domain; see PROVENANCE.md')]
    """
    found = bundle.provenance.get("corpus")
    whole = found if isinstance(found, Mapping) else {}
    parts = whole.get("sources", found)
    rows = parts if isinstance(parts, list | tuple) else [whole] if whole else []
    sources = [_source(row, whole) for row in rows[:_MOST] if isinstance(row, Mapping | str)]
    return tuple(source for source in sources if source.name)


def licence_tags(licences: Sequence[str]) -> dict[str, str]:
    """A card's licence as the hub knows it, by the strictest of its sources; `other` where several must be kept.

    Args:
        licences: of each source, as corpora word them.

    Example:
        >>> licence_tags(["public domain", "CC BY-SA 3.0 DE"])
        {'license': 'cc-by-sa-3.0'}
        >>> licence_tags(["public domain; see PROVENANCE.md"])["license_name"]
        'public-domain-scores'
        >>> licence_tags([""]), licence_tags(["CC BY-NC 4.0", "MIT"])["license"]
        ({'license': 'unknown'}, 'other')
    """
    told = {_tag(licence) for licence in licences} or {"unknown"}
    strict = told - {PUBLIC_DOMAIN}
    if not strict:
        return {"license": "other", "license_name": "public-domain-scores", "license_link": "LICENSE"}
    if len(strict) == 1 and strict != {"other"}:
        return {"license": strict.pop()}
    return {"license": "other", "license_name": "as-its-sources", "license_link": "LICENSE"}


def shares_alike(licences: Sequence[str]) -> bool:
    """Whether what is made of it must go under the same licence.

    Example:
        >>> shares_alike(["CC BY-SA 3.0 DE"]), shares_alike(["CC BY 4.0"])
        (True, False)
    """
    return any("-sa-" in _tag(licence) for licence in licences)


def plain(text: object, most: int = 300) -> str:
    r"""A stranger's text as one printable line that Markdown takes as text.

    Args:
        text: anything; only text comes through.
        most: characters.

    Example:
        >>> print(plain("a | <b>`c`\x1b[2J [d](e)"))
        a \| &lt;b>'c' \[2J \[d](e)
    """
    if not isinstance(text, str):
        return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())[:most]
    for sign, safe in (("\\", "/"), ("`", "'"), ("|", "\\|"), ("[", "\\["), ("<", "&lt;"), ("*", "\\*")):
        line = line.replace(sign, safe)
    return line


def _source(row: Mapping[str, Any] | str, whole: Mapping[str, Any]) -> Source:
    if isinstance(row, str):
        return Source(plain(row), plain(whole.get("licence")))
    counts = {name: row[name] for name in _COUNTS if type(row.get(name)) is int and 0 < row[name] < 10**15}
    name, licence, attribution, about = (
        plain(row.get(key)) for key in ("name", "licence", "attribution", "description")
    )
    return Source(name, licence, attribution, about, counts)


def _tag(licence: str) -> str:
    """The hub's identifier of one licence; `public domain`, `unknown` or `other` where it has none."""
    if not licence.strip():
        return "unknown"
    common = list(_CREATIVE_COMMONS.finditer(licence))
    tags = {f"cc-by{found[1].lower()}-{found[2]}" for found in common} | set(_other_tags(licence))
    if not tags and licence.lower().startswith(PUBLIC_DOMAIN):
        return PUBLIC_DOMAIN
    return tags.pop() if len(tags) == 1 else "other"


def _other_tags(licence: str) -> Iterator[str]:
    for tag, pattern in _OTHERS.items():
        if re.search(pattern, licence, re.IGNORECASE if tag != "mit" else 0):
            yield tag
