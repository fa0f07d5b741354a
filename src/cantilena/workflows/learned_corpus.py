"""The training corpus of a bundle."""

from __future__ import annotations

from collections.abc import Mapping

from cantilena.models import Bundle


def named_corpus(bundle: Bundle) -> str:
    """The name of the training corpus; "" if the bundle does not record it."""
    return str(_corpus_record(bundle).get("name") or "")


def shipped_corpus(bundle: Bundle) -> str:
    """The name of the training corpus if that very corpus ships with the package, else "".

    A user's folder may have the name of a built-in corpus: the digest decides, where the bundle records it.

    Examples:
        >>> from cantilena.models import find_bundle
        >>> shipped_corpus(Bundle.load(find_bundle("tunes"))), shipped_corpus(Bundle.load(find_bundle("classical")))
        ('tunes', '')
    """
    name, digest = named_corpus(bundle), _corpus_record(bundle).get("sha256")
    if not name:
        return ""
    from cantilena.data import BUILTINS, is_builtin  # composing does not wait for it where no corpus is named

    if digest is None:
        return name if name in {builtin.name for builtin in BUILTINS} else ""
    return name if is_builtin(name, str(digest)) else ""


def _corpus_record(bundle: Bundle) -> Mapping[str, object]:
    record = bundle.provenance.get("corpus")
    return record if isinstance(record, dict) else {}
