"""The models that were tuned in this studio: a folder of bundles, each with a line of facts beside it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cantilena.errors import CantilenaError
from cantilena.runtime import read_json, write_json
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
