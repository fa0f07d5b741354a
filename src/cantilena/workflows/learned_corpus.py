"""Which corpus a bundle was trained on."""

from __future__ import annotations

from collections.abc import Mapping

from cantilena.models import Bundle


def named_corpus(bundle: Bundle) -> str:
    """The name of the corpus that a bundle says it learned; empty where it names none."""
    return str(_said(bundle).get("name") or "")


def shipped_corpus(bundle: Bundle) -> str:
    """The name of the corpus that a bundle learned, where that very corpus ships; empty elsewhere.

    A folder of one's own may be called `chorales` too: where the bundle tells the digest of what it learned, that
    decides, not the name.

    Example:
        >>> from cantilena.models import find_bundle
        >>> shipped_corpus(Bundle.load(find_bundle("tunes"))), shipped_corpus(Bundle.load(find_bundle("classical")))
        ('tunes', '')
    """
    name, digest = named_corpus(bundle), _said(bundle).get("sha256")
    if not name:
        return ""
    from cantilena.data import BUILTINS, load_builtin  # composing waits for it only where a corpus is named

    if name not in {builtin.name for builtin in BUILTINS}:
        return ""
    return name if digest is None or digest == load_builtin(name).sha256 else ""


def _said(bundle: Bundle) -> Mapping[str, object]:
    said = bundle.provenance.get("corpus")
    return said if isinstance(said, dict) else {}
