"""Bundles on the Hugging Face hub: downloads from `hf://USER/NAME[@REVISION]`, and uploads.

Only one file is ever downloaded, `model.safetensors`, and nothing in it is executed: `Bundle.load` checks it like any
other.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.errors import BundleError, CantilenaError, InputError, MissingError, RunError, UsageError, __version__
from cantilena.runtime import log

ADDRESS = "hf://"

LARGEST = 500_000_000
"""Bytes of the largest file that is downloaded or uploaded."""

FILE = "model.safetensors"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+/-]*")
_SYNTAX = "write hf://USER/NAME, or hf://USER/NAME@REVISION for a branch, a tag or a commit"
_LATER = "try again later; what was fetched once is found without the network (HF_HUB_OFFLINE=1)"


@dataclass(frozen=True)
class HubRepo:
    """A repository on the hub and its revision.

    Args:
        repository: `USER/NAME`.
        revision: a branch, a tag or a commit.

    Raises:
        UsageError: the hub has no such names, or they lead out of a folder.

    Examples:
        >>> HubRepo.parse("hf://anna/waltzes@v2")
        HubRepo(repository='anna/waltzes', revision='v2')
    """

    repository: str
    revision: str = "main"

    def __post_init__(self) -> None:
        parts = self.repository.split("/")
        valid = len(parts) == 2 and all(_NAME.fullmatch(part) for part in parts)
        if not valid or len(self.repository) > 96 or re.search(r"--|\.\.|\.git\Z", self.repository):
            raise UsageError(f"'{self.repository[:100]}' is not the name of a repository on the hub", _SYNTAX)
        steps = self.revision.split("/")
        if (
            not _REVISION.fullmatch(self.revision)
            or len(self.revision) > 200
            or ".." in self.revision
            or any(not step or step.startswith(".") or step.endswith((".", ".lock")) for step in steps)
        ):
            raise UsageError(f"'{self.revision[:100]}' is not a revision of a repository on the hub", _SYNTAX)

    @classmethod
    def parse(cls, address: str) -> HubRepo:
        """Parse `hf://USER/NAME` or `hf://USER/NAME@REVISION`."""
        repository, at, revision = address.removeprefix(ADDRESS).partition("@")
        return cls(repository, revision) if at else cls(repository)

    def __str__(self) -> str:
        return f"{ADDRESS}{self.repository}{'' if self.revision == 'main' else f'@{self.revision}'}"


@dataclass(frozen=True)
class UploadedBundle:
    """Where a bundle was uploaded.

    Args:
        url: the page of the repository.
        commit: the commit, which may follow the `@` of an address.
    """

    url: str
    commit: str


def fetch_bundle(address: str, *, endpoint: str | None = None) -> Path:
    """Download a bundle into the cache of the hub's library, unless it is there.

    The size is checked first. Without network, or with `HF_HUB_OFFLINE=1`, the cached file is returned.

    Args:
        address: `hf://USER/NAME[@REVISION]`.
        endpoint: URL of the hub; None means `HF_ENDPOINT` or huggingface.co.

    Raises:
        UsageError: the address is invalid.
        MissingError: the extra `hub` is not installed.
        BundleError: the file is too large.
        InputError: the hub does not return it, or cannot be reached.
    """
    repo = HubRepo.parse(address)
    with _hub_library(repo) as hub:
        wanted = {"repo_id": repo.repository, "filename": FILE, "revision": repo.revision}
        client = _client(endpoint)
        try:
            metadata = hub.get_hf_file_metadata(hub.hf_hub_url(**wanted, endpoint=client["endpoint"]), **client)
        except Exception as error:
            cached = None if _refused(error) else hub.try_to_load_from_cache(**wanted)
            if not isinstance(cached, str):
                raise
            return Path(cached)
        _check_size(str(repo), metadata.size)
        if not isinstance(hub.try_to_load_from_cache(**wanted | {"revision": metadata.commit_hash or "main"}), str):
            log(f"Fetching {repo} ({metadata.size / 1e6:.1f} MB)")
        path = Path(hub.hf_hub_download(**wanted, **client))
        _check_size(str(repo), path.stat().st_size)  # the branch may have moved since
    return path


def upload_bundle(
    bundle: Path,
    repository: str,
    texts: Mapping[str, str],
    *,
    private: bool = False,
    force: bool = False,
    endpoint: str | None = None,
) -> UploadedBundle:
    """Upload a bundle in one commit to a repository on the hub, which is created if necessary.

    Args:
        bundle: the file, which becomes `model.safetensors`.
        repository: `USER/NAME`.
        texts: further files by name: the card as `README.md`, the licence.
        private: make a new repository private.
        force: commit to a repository that already holds a model.
        endpoint: as for `fetch_bundle`.

    Raises:
        UsageError: the name is invalid.
        MissingError: the extra `hub` is not installed.
        BundleError: the file is too large to be downloaded again.
        RunError: the repository holds a model and `force` is False, or it is public and `private` is True.
        InputError: the hub does not accept it, or cannot be reached.
    """
    repo = HubRepo(repository.removeprefix(ADDRESS))
    _check_size(str(bundle), bundle.stat().st_size)
    with _hub_library(repo) as hub:
        api = hub.HfApi(**_client(endpoint))
        url = api.create_repo(repo.repository, private=True if private else None, exist_ok=True)
        existing = api.model_info(repo.repository)
        if private and not existing.private:
            raise RunError(f"{repo} is there already, and public", "make it private on its page, or give another name")
        if not force and any(file.rfilename == FILE for file in existing.siblings or ()):
            raise RunError(f"{repo} holds a model already", "give another name, or --force to add a commit to it")
        log(f"Uploading {bundle.name} to {repo} ({bundle.stat().st_size / 1e6:.1f} MB)")
        files: dict[str, Path | bytes] = {FILE: bundle, **{file: text.encode() for file, text in texts.items()}}
        added = [hub.CommitOperationAdd(path_in_repo=file, path_or_fileobj=what) for file, what in files.items()]
        done = api.create_commit(repo.repository, added, commit_message=f"A bundle of Cantilena {__version__}")
    return UploadedBundle(str(url), str(done.oid))


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _refused(error: Exception) -> bool:
    """Whether the hub refused the request, rather than being unreachable or out of order."""
    status = _status(error)
    return status is not None and status < 500 and status != 429


def _client(endpoint: str | None) -> dict[str, Any]:
    """Arguments of the library's functions; the environment is read now, not when the library was imported."""
    return {
        "endpoint": (endpoint or os.environ.get("HF_ENDPOINT") or "").rstrip("/") or None,
        "library_name": "cantilena",
        "library_version": __version__,
    }


def _check_size(what: str, size: int | None) -> None:
    if size is None:
        raise BundleError(f"the hub does not say how large {what} is", "ask its owner for the file itself")
    if size > LARGEST:
        raise BundleError(
            f"{what} has {size / 1e6:,.0f} MB, more than the {LARGEST / 1e6:,.0f} MB of a bundle",
            "name a repository that `cantilena hub push` made",
        )


@contextmanager
def _hub_library(repo: HubRepo) -> Iterator[Any]:
    """The library without progress bars and warnings; its exceptions become `InputError`."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingError(
            f"{repo} is on the Hugging Face hub, whose library is not installed", "pip install 'cantilena[hub]'"
        )
    import huggingface_hub
    import huggingface_hub.errors
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    shown, verbosity = not are_progress_bars_disabled(), logging.get_verbosity()
    logging.set_verbosity_error()
    if shown:
        disable_progress_bars()
    try:
        yield huggingface_hub
    except CantilenaError:
        raise
    except Exception as error:  # its own errors, those of its HTTP library and of the system
        raise _input_error(error, repo, huggingface_hub) from error
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            enable_progress_bars()


def _input_error(error: Exception, repo: HubRepo, hub: Any) -> InputError:  # noqa: ANN401  (an optional library)
    known = hub.errors
    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):
        error = error.__cause__  # of one file of several
    status, kind = _status(error), type(error).__name__
    signed_in = hub.get_token() is not None
    sign_in = "check your token: hf auth login" if signed_in else "sign in first: hf auth login, or set HF_TOKEN"
    for types, text, hint in (
        (known.LocalTokenNotFoundError, "there is no token for the hub", sign_in),
        (known.GatedRepoError, f"{repo} is given only to those whom its owner lets", "ask for access on its page"),
        (
            known.RepositoryNotFoundError,
            f"there is no {repo}, or it is private",
            f"check the name; if it is private, {sign_in}",
        ),
        (
            known.RevisionNotFoundError,
            f"{repo} has no such revision",
            "look at its page for branches and tags, or leave out the @",
        ),
        (
            known.OfflineModeIsEnabled,
            f"{repo} was not fetched yet, and the hub may not be asked",
            "unset HF_HUB_OFFLINE once",
        ),
        (known.EntryNotFoundError, f"{repo} holds no {FILE}", "name a repository that `cantilena hub push` made"),
    ):
        if isinstance(error, types):
            return InputError(text, hint)
    if status in (401, 403):
        return InputError(f"the hub does not let you do that with {repo}", f"{sign_in}; the token must allow writing")
    if status is not None:
        return InputError(f"the hub answered {status} for {repo}", _LATER)
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return InputError(f"cannot keep {repo}: {error.strerror} ({error.filename})", "set HF_HOME to another folder")
    if isinstance(error, OSError) or type(error).__module__.startswith("httpx"):
        return InputError(f"the hub cannot be reached for {repo} ({kind})", f"check the network, or {_LATER}")
    message = " ".join(str(error).split())[:200]
    return InputError(f"the hub's library fails on {repo} ({kind}: {message})", "pip install --upgrade huggingface_hub")
