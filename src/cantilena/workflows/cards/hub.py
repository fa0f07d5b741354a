"""Push a bundle with its card and its licence to the Hugging Face hub."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cantilena.runtime import log
from cantilena.workflows.cards.card import card_markdown, licence_text
from cantilena.workflows.cards.shipped import card_file, licence_of_weights, show_model
from cantilena.workflows.cards.sources import is_share_alike


@dataclass(frozen=True)
class PushedModel:
    """A local file that was pushed to `hf://USER/NAME`; its address with `@` and the commit names this revision."""

    bundle: Path
    address: str
    url: str
    commit: str
    licence: str

    def to_json(self) -> dict[str, Any]:
        """The answer of `hub push --json`."""
        return asdict(self) | {"bundle": str(self.bundle)}

    def text(self) -> str:
        """The same for a terminal."""
        return f"{self.bundle.name} is at {self.url}\nTo compose with it: cantilena compose {self.address}"


def push_bundle(name_or_path: str, repository: str, *, private: bool = False, force: bool = False) -> PushedModel:
    """Upload a bundle, its card and its licence to a repository on the Hugging Face hub, in one commit.

    The bundle is checked before anything is sent. The repository, `USER/NAME`, is created if it does not exist.

    Raises:
        BundleError: there is no such bundle, or it is damaged or too large.
        UsageError: the name of the repository is invalid.
        MissingError: the extra `hub` is not installed.
        RunError: the repository holds a model, or is public although `private` is set.
        InputError: the hub rejects the upload.
    """
    from cantilena.models.bundle.hub import HubRepo, upload_bundle

    address = str(HubRepo(repository.removeprefix("hf://")))
    shown = show_model(name_or_path)
    if not shown.bundle.licence:
        log("The licence of these weights is unknown; their card says so")
    card = shown.card
    if card_file(shown.path) is None:
        card = card_markdown(shown.bundle, address.rpartition("/")[2], address=address)
    texts = {"README.md": card, "LICENSE": licence_text(shown.bundle, shown.name)}
    if is_share_alike(shown.bundle):
        texts["LICENSE-weights"] = licence_of_weights()
    given = upload_bundle(shown.path, address, texts, private=private, force=force)
    return PushedModel(shown.path, address, given.url, given.commit, shown.bundle.licence)
