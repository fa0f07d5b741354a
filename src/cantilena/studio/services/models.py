"""The models of the studio: those that ship with Cantilena, and those that were tuned here."""

from __future__ import annotations

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.errors import BundleError, CantilenaError
from cantilena.generation import Composer
from cantilena.models import Bundle, only_bounds_likelihood, shipped_bundles
from cantilena.models.shipped import DEFAULT
from cantilena.music import Key, Meter
from cantilena.runtime import log, read_json, write_json
from cantilena.server import HTTPError, NotFoundError, UnavailableError
from cantilena.studio.options import LIMITS
from cantilena.studio.schemas.responses import ModelInfo, StyleInfo
from cantilena.tokenizers import token_pitches

_TUNED_NAME = re.compile(r"made-[0-9a-f]{12}")
_CACHE_SIZE = 12
"""Composers in memory, of up to 40 MB each."""

_SOURCES = {
    "tunes": "Learned from folk tunes and dances",
    "classical": "Learned from classical melodies",
    "piano": "Learned from piano pieces, notes and chords",
}


@dataclass(frozen=True)
class StudioModel:
    """A model that can compose, and what the API shows of it."""

    composer: Composer
    info: ModelInfo


class ModelRegistry:
    """All models by name. Names are looked up, never used as paths.

    Args:
        tuned: the models that were tuned here.
    """

    def __init__(self, tuned: TunedModels) -> None:
        self.tuned = tuned
        self._cache: OrderedDict[str, StudioModel] = OrderedDict()
        self._infos: dict[str, ModelInfo] = {}  # of all models, so that listing them reads no file again
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Return all names, the default first."""
        return [*sorted(shipped_bundles(), key=lambda name: name != DEFAULT), *self.tuned.names()]

    def path(self, name: str) -> Path:
        """Return the file of a model.

        Raises:
            NotFoundError: no model has this name.
        """
        path = shipped_bundles().get(name) or self.tuned.path(name)
        if path is None:
            raise NotFoundError("there is no such model", f"choose one of {', '.join(self.names()[:8])}")
        return path

    def get(self, name: str) -> StudioModel:
        """Return a model.

        Raises:
            NotFoundError: no model has this name.
            BundleError: its file is damaged.
        """
        path = self.path(name)  # before the cache: another studio in the same folder may have deleted the file
        with self._lock:
            if name in self._cache:
                self._cache.move_to_end(name)
                return self._cache[name]
        model = self._load(name, path)
        with self._lock:
            self._cache[name], self._infos[name] = model, model.info
            while len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
        return model

    def infos(self) -> list[ModelInfo]:
        """Return what the API shows of all models; damaged ones are reported in the terminal and left out."""
        infos = []
        for name in self.names():
            try:
                infos.append(self._infos.get(name) or self.get(name).info)
            except CantilenaError as error:
                log(f"the model {name} is left out: {error.text}")
        return infos

    def delete(self, name: str) -> None:
        """Delete a model that was tuned here; errors as of `TunedModels.delete`."""
        self.tuned.delete(name)
        with self._lock:
            self._cache.pop(name, None)
            self._infos.pop(name, None)

    def _load(self, name: str, path: Path) -> StudioModel:
        try:
            bundle = Bundle.load(path)
        except BundleError as error:  # the response must not reveal the path
            raise BundleError(error.text.replace(str(path), "this model"), "delete it, or tune it again") from error
        facts = self.tuned.facts(name)
        untuned = str(facts["untuned"]) if facts else name.partition("+")[0]
        title = str(facts["title"]) if facts else name
        is_tuned = bundle.prior_weights is not None
        composer = Composer.from_bundle(bundle, title)
        pitches = [pitches[-1] for pitches in token_pitches(composer.encoding) if pitches]
        info = ModelInfo(
            name=name,
            title=title,
            tuned=is_tuned,
            untuned=untuned if is_tuned and untuned != name and self._has_encoding(untuned, bundle) else None,
            encoding=composer.encoding.name,
            low=min(pitches, default=0),
            high=max(pitches, default=127),
            styles=[
                StyleInfo(name=style.name, key=_key_name(style.key), meter=_meter_name(style.meter))
                for style in composer.styles
            ],
            key=_key_name(composer.key),
            meter=_meter_name(composer.meter),
            licence=bundle.licence,
            says=_description(bundle, name, made_here=bool(facts)),
            default=name == DEFAULT,
            made_here=bool(facts),
            has_forms=composer.forms is not None,
            follows_chords=composer.has_harmony,
            has_codes=only_bounds_likelihood(composer.model),
        )
        return StudioModel(composer, info)

    def _has_encoding(self, name: str, tuned: Bundle) -> bool:
        """Whether there is a model of the encoding of a tuned one: of another it would be a newer one of that name."""
        with suppress(CantilenaError):
            return Bundle.load(self.path(name)).encoding == tuned.encoding
        return False


class TunedModels:
    """The folder of the models that were tuned here; only names that were generated here lead to a file.

    Each bundle has a JSON file of facts beside it. That is written last: without it, a model does not exist, so a
    studio that is killed leaves no incomplete model.

    Args:
        folder: the folder; it is created for the first model.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Return all names, the oldest model first."""
        with suppress(OSError):
            facts = [path for path in self.folder.glob("made-*.json") if _TUNED_NAME.fullmatch(path.stem)]
            complete = [path for path in facts if path.with_suffix(".safetensors").is_file()]
            return [path.stem for path in sorted(complete, key=lambda path: (path.stat().st_mtime, path.stem))]
        return []

    def path(self, name: str) -> Path | None:
        """Return the file of a model; None if there is none of that name."""
        return self._file(name, ".safetensors") if name in self.names() else None

    def facts(self, name: str) -> Mapping[str, Any] | None:
        """Return `title`, `untuned` and `rules` of a model; None if there is none of that name."""
        if name not in self.names():
            return None
        facts: dict[str, Any] = {"title": name, "untuned": "", "rules": {}}
        with suppress(CantilenaError):  # a model can compose without its facts
            stored = read_json(self._file(name, ".json"))
            if isinstance(stored, dict):
                facts |= {key: stored[key] for key in facts if isinstance(stored.get(key), type(facts[key]))}
        return facts

    def new_name(self) -> str:
        """Generate a name for a new model.

        Raises:
            HTTPError: the limit of models is reached.
        """
        if len(self.names()) >= LIMITS.models:
            raise HTTPError(f"{LIMITS.models} models were tuned here already", "delete some that you no longer need")
        return f"made-{secrets.token_hex(6)}"

    def new_file(self, name: str) -> Path:
        """Return where to write the bundle of a new model.

        Raises:
            UnavailableError: the folder cannot be created.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(
                f"the studio's folder cannot be written: {error.strerror or error}",
                "check its permissions and the free space, or give another --home",
            ) from error
        return self._file(name, ".safetensors")

    def finish(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write the facts of a model; from now on it exists."""
        write_json(self._file(name, ".json"), dict(facts))

    def discard(self, name: str) -> None:
        """Remove the files of a model that was not finished."""
        for path in [self._file(name, ".safetensors"), *self.folder.glob(f".{name}.*.draft")]:
            path.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Delete a model.

        Raises:
            NotFoundError: no model of that name was tuned here.
            UnavailableError: the file cannot be deleted.
        """
        if name not in self.names():
            raise NotFoundError(
                "no model of that name was tuned here", "models that ship with Cantilena cannot be deleted"
            )
        try:
            for suffix in (".json", ".safetensors"):
                self._file(name, suffix).unlink(missing_ok=True)
        except OSError as error:
            raise UnavailableError(
                f"the model cannot be deleted: {error.strerror or error}", "check the permissions of its file"
            ) from error

    def clean_up(self) -> None:
        """Remove what a killed studio left: bundles without facts, and temporary files."""
        with suppress(OSError):
            for path in [*self.folder.glob("made-*.safetensors"), *self.folder.glob(".made-*.draft")]:
                if path.stem not in self.names():
                    path.unlink(missing_ok=True)

    def _file(self, name: str, suffix: str) -> Path:
        assert _TUNED_NAME.fullmatch(name)
        return self.folder / f"{name}{suffix}"


def _key_name(key: Key | None) -> str | None:
    return key.name if key else None


def _meter_name(meter: Meter | None) -> str | None:
    return str(meter) if meter else None


def _description(bundle: Bundle, name: str, *, made_here: bool) -> str:
    """Describe a model to somebody who has never heard of one."""
    corpus, tuning = bundle.provenance.get("corpus"), bundle.provenance.get("tuning")
    corpus_name = str(corpus.get("name", "")) if isinstance(corpus, dict) else ""
    source = _SOURCES.get(name.partition("+")[0]) or _SOURCES.get(corpus_name) or "Learned from human melodies"
    if made_here:
        return f"{source}; tuned here on the rules that you chose"
    if isinstance(tuning, dict) or bundle.prior_weights is not None:
        rules = str(tuning.get("rules", "")) if isinstance(tuning, dict) else ""
        if rules == "none":
            return f"{source}, then tuned to be nearer to human melodies"
        return f"{source}, then tuned on rules of music theory{f' ({rules})' if rules else ''}"
    return f"{source}, and nothing else"
