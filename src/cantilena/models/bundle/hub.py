"""The Hugging Face hub: bundles fetched by `hf://USER/NAME[@REVISION]` and given to others; its only door.

One file is ever fetched, `model.safetensors`, and nothing in it is executed: `Bundle.load` checks it like any other.
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
"""How the name of a bundle on the hub begins."""

LARGEST = 500_000_000
"""Bytes of the largest file that is fetched or given."""

FILE = "model.safetensors"
"""The only file of a repository that is read."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+/-]*")
_SHAPE = "write hf://USER/NAME, or hf://USER/NAME@REVISION for a branch, a tag or a commit"
_LATER = "try again later; what was fetched once is found without the network (HF_HUB_OFFLINE=1)"


@dataclass(frozen=True)
class HubName:
    """A repository on the hub, and which state of it.

    Args:
        repository: `USER/NAME`.
        revision: a branch, a tag or a commit.

    Raises:
        UsageError: a name or a revision that the hub does not have, or that leads out of a folder.

    Example:
        >>> HubName.parse("hf://anna/waltzes@v2")
        HubName(repository='anna/waltzes', revision='v2')
    """

    repository: str
    revision: str = "main"

    def __post_init__(self) -> None:
        parts = self.repository.split("/")
        named = len(parts) == 2 and all(_NAME.fullmatch(part) for part in parts)
        if not named or len(self.repository) > 96 or re.search(r"--|\.\.|\.git\Z", self.repository):
            raise UsageError(f"'{self.repository[:100]}' is not the name of a repository on the hub", _SHAPE)
        steps = self.revision.split("/")
        if (
            not _REVISION.fullmatch(self.revision)
            or len(self.revision) > 200
            or ".." in self.revision
            or any(not step or step.startswith(".") or step.endswith((".", ".lock")) for step in steps)
        ):
            raise UsageError(f"'{self.revision[:100]}' is not a revision of a repository on the hub", _SHAPE)

    @classmethod
    def parse(cls, address: str) -> HubName:
        """Read `hf://USER/NAME` or `hf://USER/NAME@REVISION`."""
        repository, at, revision = address.removeprefix(ADDRESS).partition("@")
        return cls(repository, revision) if at else cls(repository)

    def __str__(self) -> str:
        return f"{ADDRESS}{self.repository}{'' if self.revision == 'main' else f'@{self.revision}'}"


@dataclass(frozen=True)
class Given:
    """A bundle that was given to the hub.

    Args:
        url: the page of the repository.
        commit: its new state, to be named after the `@` of an address.
    """

    url: str
    commit: str


def fetched(address: str, *, endpoint: str | None = None) -> Path:
    """The file of a bundle on the hub, from the hub's own cache where it is there already.

    Its size is asked before it is fetched. Without network, or with `HF_HUB_OFFLINE=1`, the cached file is taken.

    Args:
        address: `hf://USER/NAME[@REVISION]`.
        endpoint: the address of the hub; that of `HF_ENDPOINT` or huggingface.co where None.

    Raises:
        UsageError: it is no address.
        MissingError: the extra `hub` is not installed.
        BundleError: the file is too large.
        InputError: the hub does not give it, or cannot be reached.
    """
    name = HubName.parse(address)
    with _library(name) as hub:
        asked = {"repo_id": name.repository, "filename": FILE, "revision": name.revision}
        origin = _origin(endpoint)
        try:
            url = hub.hf_hub_url(**asked, endpoint=origin["endpoint"])
            about = hub.get_hf_file_metadata(url, **origin)
        except Exception as error:
            cached = None if _said_no(error) else hub.try_to_load_from_cache(**asked)
            if not isinstance(cached, str):
                raise
            return Path(cached)
        _check_size(str(name), about.size)
        if not isinstance(hub.try_to_load_from_cache(**asked | {"revision": about.commit_hash or "main"}), str):
            log(f"Fetching {name} ({about.size / 1e6:.1f} MB)")
        path = Path(hub.hf_hub_download(**asked, **origin))
        _check_size(str(name), path.stat().st_size)  # the branch may have moved on in between
    return path


def give(
    bundle: Path,
    repository: str,
    texts: Mapping[str, str],
    *,
    private: bool = False,
    force: bool = False,
    endpoint: str | None = None,
) -> Given:
    """Put a bundle into a repository on the hub, which is made if it is not there; one commit.

    Args:
        bundle: the file, which becomes `model.safetensors`.
        repository: `USER/NAME`.
        texts: further files by name: the card as `README.md`, the licence.
        private: only those whom its owner lets may see it.
        force: add a commit to a repository that holds a model already; the one before stays in its history.
        endpoint: as for `fetched`.

    Raises:
        UsageError: no such name can be.
        MissingError: the extra `hub` is not installed.
        BundleError: the file is too large to be fetched again.
        RunError: a model is there and `force` is off, or it should be private and is public.
        InputError: the hub does not take it, or cannot be reached.
    """
    name = HubName(repository.removeprefix(ADDRESS))
    _check_size(str(bundle), bundle.stat().st_size)
    with _library(name) as hub:
        api = hub.HfApi(**_origin(endpoint))
        url = api.create_repo(name.repository, private=True if private else None, exist_ok=True)
        there = api.model_info(name.repository)
        if private and not there.private:
            raise RunError(f"{name} is there already, and public", "make it private on its page, or give another name")
        if not force and any(file.rfilename == FILE for file in there.siblings or ()):
            raise RunError(f"{name} holds a model already", "give another name, or --force to add a commit to it")
        log(f"Giving {bundle.name} to {name} ({bundle.stat().st_size / 1e6:.1f} MB)")
        files: dict[str, Path | bytes] = {FILE: bundle, **{file: text.encode() for file, text in texts.items()}}
        added = [hub.CommitOperationAdd(path_in_repo=file, path_or_fileobj=what) for file, what in files.items()]
        done = api.create_commit(name.repository, added, commit_message=f"A bundle of Cantilena {__version__}")
    return Given(str(url), str(done.oid))


def _said_no(error: Exception) -> bool:
    """Whether the hub itself refused, rather than being out of reach or out of order."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status is not None and status < 500 and status != 429


def _origin(endpoint: str | None) -> dict[str, Any]:
    """Where the hub is, and who asks; the environment is read now, not when the library was imported."""
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
def _library(name: HubName) -> Iterator[Any]:
    """The library without its bars and warnings; whatever it raises becomes one sentence."""
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingError(
            f"{name} is on the Hugging Face hub, whose library is not installed", "pip install 'cantilena[hub]'"
        )
    import huggingface_hub
    import huggingface_hub.errors
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    shown, loudness = not are_progress_bars_disabled(), logging.get_verbosity()
    logging.set_verbosity_error()
    if shown:
        disable_progress_bars()
    try:
        yield huggingface_hub
    except CantilenaError:
        raise
    except Exception as error:  # it raises its own errors, its HTTP library's and the system's
        raise _in_words(error, name, huggingface_hub) from error
    finally:
        logging.set_verbosity(loudness)
        if shown:
            enable_progress_bars()


def _in_words(error: Exception, name: HubName, hub: Any) -> InputError:  # noqa: ANN401  (an optional library)
    """What a person can do about an error of the library."""
    known = hub.errors
    if type(error) is RuntimeError and isinstance(error.__cause__, Exception):
        error = error.__cause__  # what went wrong with one file of several
    status = getattr(getattr(error, "response", None), "status_code", None)
    signed_in = hub.get_token() is not None
    sign_in = "check your token: hf auth login" if signed_in else "sign in first: hf auth login, or set HF_TOKEN"
    if isinstance(error, known.LocalTokenNotFoundError):
        return InputError("there is no token for the hub", sign_in)
    if isinstance(error, known.GatedRepoError):
        return InputError(f"{name} is given only to those whom its owner lets", "ask for access on its page")
    if isinstance(error, known.RepositoryNotFoundError):
        return InputError(f"there is no {name}, or it is private", f"check the name; if it is private, {sign_in}")
    if isinstance(error, known.RevisionNotFoundError):
        return InputError(f"{name} has no such revision", "look at its page for branches and tags, or leave out the @")
    if isinstance(error, known.OfflineModeIsEnabled):
        return InputError(f"{name} was not fetched yet, and the hub may not be asked", "unset HF_HUB_OFFLINE once")
    if isinstance(error, known.EntryNotFoundError):
        return InputError(f"{name} holds no {FILE}", "name a repository that `cantilena hub push` made")
    if status in (401, 403):
        return InputError(f"the hub does not let you do that with {name}", f"{sign_in}; the token must allow writing")
    if status is not None:
        return InputError(f"the hub answered {status} for {name}", _LATER)
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return InputError(f"cannot keep {name}: {error.strerror} ({error.filename})", "set HF_HOME to another folder")
    kind = type(error).__name__
    if isinstance(error, OSError) or type(error).__module__.startswith("httpx"):
        return InputError(f"the hub cannot be reached for {name} ({kind})", f"check the network, or {_LATER}")
    said = " ".join(str(error).split())[:200]
    return InputError(f"the hub's library fails on {name} ({kind}: {said})", "pip install --upgrade huggingface_hub")
