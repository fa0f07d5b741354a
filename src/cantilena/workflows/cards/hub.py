"""`cantilena hub push`: a bundle with its card and its licence, put where others can fetch it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.runtime import log
from cantilena.workflows.cards.card import card_markdown, licence_text
from cantilena.workflows.cards.shipped import card_file, licence_of_weights, show_model
from cantilena.workflows.cards.sources import shares_alike, sources_of


@dataclass(frozen=True)
class Pushed:
    """A bundle on the hub.

    Args:
        bundle: the file that was given.
        address: what names it from now on.
        url: its page.
        commit: the state of the repository, to be named after an `@`.
        licence: of the weights; "" where nothing is known.
    """

    bundle: Path
    address: str
    url: str
    commit: str
    licence: str

    def to_json(self) -> dict[str, Any]:
        """As `hub push --json` prints it."""
        return {
            "bundle": str(self.bundle),
            "address": self.address,
            "url": self.url,
            "commit": self.commit,
            "licence": self.licence,
        }

    def text(self) -> str:
        """The same for a terminal."""
        return f"{self.bundle.name} is at {self.url}\nTo compose with it: cantilena compose {self.address}"


def push_bundle(name_or_path: str, repository: str, *, private: bool = False, force: bool = False) -> Pushed:
    """Put a bundle, its card and its licence into a repository on the Hugging Face hub, in one commit.

    Args:
        name_or_path: a bundle, as it is named anywhere; it is checked before anything is sent.
        repository: `USER/NAME`, made if it is not there.
        private: only those whom its owner lets may see it.
        force: add a commit where a model is already.

    Raises:
        BundleError: there is no such bundle, or it is damaged or too large.
        UsageError: no repository can have that name.
        MissingError: the extra `hub` is not installed.
        RunError: a model is there already, or a public repository that should be private.
        InputError: the hub does not take it.
    """
    from cantilena.models.bundle.hub import HubRepo, upload_bundle

    address = str(HubRepo(repository.removeprefix("hf://")))
    shown = show_model(name_or_path)
    if not shown.bundle.licence:
        log("Nothing is known about the licence of these weights, and their card says so")
    card = shown.card
    if card_file(shown.path) is None:
        name = address.rpartition("/")[2]
        card = card_markdown(shown.bundle, name, address=address)
    texts = {"README.md": card, "LICENSE": licence_text(shown.bundle, shown.name)}
    if shares_alike([shown.bundle.licence, *(source.licence for source in sources_of(shown.bundle))]):
        texts["LICENSE-weights"] = licence_of_weights()
    given = upload_bundle(shown.path, address, texts, private=private, force=force)
    return Pushed(shown.path, address, given.url, given.commit, shown.bundle.licence)
