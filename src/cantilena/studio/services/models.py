"""The models of the studio: those that ship, and those that were tuned here; a few are kept in memory.

The models that were tuned in this studio: a folder of bundles, each with a line of facts beside it.
"""

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
from cantilena.models import Bundle, shipped_bundles
from cantilena.models.shipped import DEFAULT
from cantilena.runtime import log, read_json, write_json
from cantilena.server import LateError, RefusalError, UnknownError
from cantilena.studio.options import LIMITS

_NAME = re.compile(r"made-[0-9a-f]{12}")


class MadeModels:
    """A folder of models; their names are made here, and no other name leads to a file.

    A model is there when its facts are, which are written last: a studio that is killed leaves no half model.

    Args:
        folder: where they lie; it is made when the first one comes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """All names, the oldest model first."""
        with suppress(OSError):
            found = [path for path in self.folder.glob("made-*.json") if _NAME.fullmatch(path.stem)]
            whole = [path for path in found if path.with_suffix(".safetensors").is_file()]
            return [path.stem for path in sorted(whole, key=lambda path: (path.stat().st_mtime, path.stem))]
        return []

    def path(self, name: str) -> Path | None:
        """The file of a model; None where there is none of that name."""
        return self._file(name, ".safetensors") if name in self.names() else None

    def facts(self, name: str) -> Mapping[str, Any] | None:
        """What was written down of it: `title`, `untuned`, `rules`; None where there is none of that name."""
        if name not in self.names():
            return None
        facts: dict[str, Any] = {"title": name, "untuned": "", "rules": {}}
        with suppress(CantilenaError):  # without its facts it can still compose
            told = read_json(self._file(name, ".json"))
            if isinstance(told, dict):
                facts |= {key: told[key] for key in facts if isinstance(told.get(key), type(facts[key]))}
        return facts

    def new_name(self) -> str:
        """A name that no model has.

        Raises:
            RefusalError: there are as many as may be.
        """
        if len(self.names()) >= LIMITS.models:
            raise RefusalError(f"{LIMITS.models} models were tuned here already", "delete some that you no longer need")
        return f"made-{secrets.token_hex(6)}"

    def draft(self, name: str) -> Path:
        """Where the bundle of a new model is to be written.

        Raises:
            LateError: the folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LateError(
                f"the studio's folder cannot be written: {error.strerror or error}",
                "check its rights and the free space, or give another --home",
            ) from error
        return self._file(name, ".safetensors")

    def finish(self, name: str, facts: Mapping[str, Any]) -> None:
        """Write a model's facts, by which it is there from now on."""
        write_json(self._file(name, ".json"), dict(facts))

    def discard(self, name: str) -> None:
        """Take away what there is of a model that was not finished."""
        for path in [self._file(name, ".safetensors"), *self.folder.glob(f".{name}.*.draft")]:
            path.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Take a model away.

        Raises:
            UnknownError: there is none of that name that was made here.
            LateError: the disk says no.
        """
        if name not in self.names():
            raise UnknownError("no model of that name was tuned here", "models that ship with Cantilena stay")
        try:
            for ending in (".json", ".safetensors"):
                self._file(name, ending).unlink(missing_ok=True)
        except OSError as error:
            raise LateError(
                f"it cannot be deleted: {error.strerror or error}", "check the rights of its file"
            ) from error

    def sweep(self) -> None:
        """Take away what a killed studio left: bundles without facts, and drafts."""
        with suppress(OSError):
            for path in [*self.folder.glob("made-*.safetensors"), *self.folder.glob(".made-*.draft")]:
                if path.stem not in self.names():
                    path.unlink(missing_ok=True)

    def _file(self, name: str, ending: str) -> Path:
        assert _NAME.fullmatch(name)
        return self.folder / f"{name}{ending}"


_KEPT = 64
"""Composers in memory, of 1 to 3 MB each: all that ship or may be made, so that to list them reads no file again."""


@dataclass(frozen=True)
class ShownModel:
    """A model as the page shows it.

    Args:
        name: how it is asked for.
        composer: what composes.
        licence: of its weights.
        tuned: whether it was tuned.
        untuned: the name of the model that it was tuned from, where that is here too.
        says: what it is, in plain words.
        made_here: whether it was tuned in this studio.
        title: what to call it.
        low: the lowest pitch that it knows.
        high: the highest.
    """

    name: str
    composer: Composer
    licence: str
    tuned: bool
    untuned: str | None
    says: str
    made_here: bool
    title: str
    low: int
    high: int


class Composers:
    """Models by name; only names that the studio itself made are looked up, never a path.

    Args:
        made: the models that were tuned here.
    """

    def __init__(self, made: MadeModels) -> None:
        self.made = made
        self._shown: OrderedDict[str, ShownModel] = OrderedDict()
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """All that can be asked for, the default first."""
        shipped = list(shipped_bundles())
        first = [DEFAULT] if DEFAULT in shipped else []
        return [*first, *(name for name in shipped if name not in first), *self.made.names()]

    def shown(self, name: str) -> ShownModel:
        """One model.

        Raises:
            UnknownError: there is none of that name.
            BundleError: it is damaged.
        """
        path = self.path(name)  # first of all: another studio in the same folder may have deleted it
        with self._lock:
            if name in self._shown:
                self._shown.move_to_end(name)
                return self._shown[name]
        shown = self._read(name, path)
        with self._lock:
            self._shown[name] = shown
            while len(self._shown) > _KEPT:
                self._shown.popitem(last=False)
        return shown

    def path(self, name: str) -> Path:
        """The file of a model.

        Raises:
            UnknownError: there is none of that name.
        """
        path = shipped_bundles().get(name) or self.made.path(name)
        if path is None:
            raise UnknownError("there is no such model", f"choose one of {', '.join(self.names()[:8])}")
        return path

    def all(self) -> list[ShownModel]:
        """All models that can be read; a damaged one is told of in the terminal and left out."""
        found = []
        for name in self.names():
            try:
                found.append(self.shown(name))
            except CantilenaError as error:
                log(f"the model {name} is left out: {error.text}")
        return found

    def forget(self, name: str) -> None:
        """Let go of a model that was deleted."""
        with self._lock:
            self._shown.pop(name, None)

    def _read(self, name: str, path: Path) -> ShownModel:
        try:
            bundle = Bundle.load(path)
        except BundleError as error:  # where it lies is nobody's business
            raise BundleError(error.text.replace(str(path), "this model"), "delete it, or tune it again") from error
        facts = self.made.facts(name)
        untuned = str(facts["untuned"]) if facts else name.partition("+")[0]
        tuned = bundle.prior_weights is not None
        known = untuned != name and untuned in self.names()
        title = str(facts["title"]) if facts else name
        composer = Composer.from_bundle(bundle, title)
        tokens = range(len(composer.encoding.vocabulary))
        pitches = [note.top for token in tokens for note in composer.encoding.decode([token]).sounding]
        return ShownModel(
            name=name,
            composer=composer,
            licence=bundle.licence,
            tuned=tuned,
            untuned=untuned if tuned and known else None,
            says=_in_plain_words(bundle, name, made_here=bool(facts)),
            made_here=bool(facts),
            title=title,
            low=min(pitches, default=0),
            high=max(pitches, default=127),
        )


def _in_plain_words(bundle: Bundle, name: str, *, made_here: bool) -> str:
    """What a model is, for somebody who has never heard of one."""
    corpus = bundle.provenance.get("corpus")
    learned = str(corpus.get("name", "")) if isinstance(corpus, dict) else ""
    source = _LEARNED.get(name.partition("+")[0]) or _LEARNED.get(learned) or "Learned from melodies by people"
    tuning = bundle.provenance.get("tuning")
    if made_here:
        return f"{source}; tuned here on the rules that you chose"
    if isinstance(tuning, dict) or bundle.prior_weights is not None:
        rules = str(tuning.get("rules", "")) if isinstance(tuning, dict) else ""
        return f"{source}, then tuned on rules of music theory{f' ({rules})' if rules else ''}"
    return f"{source}, and nothing else"


_LEARNED = {
    "tunes": "Learned from folk tunes and dances",
    "classical": "Learned from classical melodies",
    "piano": "Learned from piano pieces, notes and chords",
}
