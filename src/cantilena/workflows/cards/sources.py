"""The corpora that a model was trained on, their licences and attributions, in text that is safe to print."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cantilena.models import Bundle

_PUBLIC_DOMAIN = "public domain"
_COUNTS = ("melodies", "pieces", "notes")
_MAX_SOURCES = 8
"""Maximum number of corpora that are shown."""

_CREATIVE_COMMONS = re.compile(r"\bCC[ -]BY((?:-(?:NC|SA|ND))*)[ -](\d\.\d)", re.IGNORECASE)
_OTHERS = {
    "apache-2.0": re.compile(r"\bapache[ -]?(license[ ,]*)?(version )?2(\.0)?\b", re.IGNORECASE),
    "mit": re.compile(r"\bMIT\b"),
    "cc0-1.0": re.compile(r"\bCC0\b", re.IGNORECASE),
}


@dataclass(frozen=True)
class Source:
    """A corpus that a model was trained on; `counts` are those known of its melodies, pieces and notes."""

    name: str
    licence: str = ""
    attribution: str = ""
    description: str = ""
    counts: Mapping[str, int] | None = None

    def text(self) -> str:
        """One line of Markdown."""
        sizes = ", ".join(f"{count:,} {unit}" for unit, count in (self.counts or {}).items())
        about = "; ".join(filter(None, (self.description, sizes)))
        attribution = f" Attribution: {self.attribution}." if self.attribution else ""
        return f"- **{self.name}**{f' ({about})' if about else ''}. Licence: {self.licence or 'unknown'}.{attribution}"


def sources_of(bundle: Bundle) -> tuple[Source, ...]:
    """The corpora in a bundle's provenance: one, several under `sources`, or a list; malformed ones are left out.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> [(source.name, source.licence) for source in sources_of(Bundle.load(find_bundle("tunes")))]
        [('tunes', 'public domain; see PROVENANCE.md'), ('openscore-lieder', 'CC0 1.0'), ...]
    """
    corpus = bundle.provenance.get("corpus")
    whole = corpus if isinstance(corpus, Mapping) else {}
    rows = whole.get("sources", corpus)
    if not isinstance(rows, list | tuple):
        rows = [whole] if whole else []
    sources = [_source(row, whole) for row in rows[:_MAX_SOURCES] if isinstance(row, Mapping | str)]
    return tuple(source for source in sources if source.name)


def _source(row: Mapping[str, Any] | str, whole: Mapping[str, Any]) -> Source:
    if isinstance(row, str):
        return Source(sanitize(row), sanitize(whole.get("licence")))
    counts = {name: row[name] for name in _COUNTS if type(row.get(name)) is int and 0 < row[name] < 10**15}
    keys = ("name", "licence", "attribution", "description")
    name, licence, attribution, description = (sanitize(row.get(key)) for key in keys)
    return Source(name, licence, attribution, description, counts)


def licence_tags(licences: Sequence[str]) -> dict[str, str]:
    """The licence of a card as the hub names it: the strictest of the sources', `other` if several apply.

    Examples:
        >>> licence_tags(["public domain", "CC BY-SA 3.0 DE"])
        {'license': 'cc-by-sa-3.0'}
        >>> licence_tags(["public domain; see PROVENANCE.md"])["license_name"]
        'public-domain-scores'
        >>> licence_tags([""]), licence_tags(["CC BY-NC 4.0", "MIT"])["license"]
        ({'license': 'unknown'}, 'other')
    """
    tags = {_tag(licence) for licence in licences} or {"unknown"}
    strict = tags - {_PUBLIC_DOMAIN}
    strict -= {"cc0-1.0"} if len(tags) > 1 else set()  # which asks for nothing
    if not strict:
        return {"license": "other", "license_name": "public-domain-scores", "license_link": "LICENSE"}
    if len(strict) == 1 and strict != {"other"}:
        return {"license": strict.pop()}
    return {"license": "other", "license_name": "as-its-sources", "license_link": "LICENSE"}


def _tag(licence: str) -> str:
    """The hub's identifier of one licence, or `public domain`, `unknown` or `other`."""
    if not licence.strip():
        return "unknown"
    tags = {f"cc-by{found[1].lower()}-{found[2]}" for found in _CREATIVE_COMMONS.finditer(licence)}
    tags |= {tag for tag, pattern in _OTHERS.items() if pattern.search(licence)}
    if not tags and licence.lower().startswith(_PUBLIC_DOMAIN):
        return _PUBLIC_DOMAIN
    return tags.pop() if len(tags) == 1 else "other"


def is_share_alike(bundle: Bundle) -> bool:
    """Whether the weights must be passed on under the licence of a source."""
    return any("-sa-" in _tag(licence) for licence in (bundle.licence, *(one.licence for one in sources_of(bundle))))


def sanitize(text: object, most: int = 300) -> str:
    r"""Untrusted text as one printable line without Markdown, of `most` characters; "" for anything but text.

    Examples:
        >>> print(sanitize("a | <b>`c`\x1b[2J [d](e)"))
        a \| &lt;b>'c' \[2J \[d](e)
    """
    if not isinstance(text, str):
        return ""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())[:most]
    for sign, safe in (("\\", "/"), ("`", "'"), ("|", "\\|"), ("[", "\\["), ("<", "&lt;"), ("*", "\\*")):
        line = line.replace(sign, safe)
    return line
