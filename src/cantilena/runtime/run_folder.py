"""Run folders: one run at a time, its options and versions, and whether it was finished.

A run folder holds `run.json` (options, versions, state), the results, and `.lock` while a process works in it.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from cantilena.errors import CantilenaError, InputError, RunError, __version__
from cantilena.runtime.files import json_text, read_json, write_json

_RECORD = "run.json"
_LIBRARIES = ("torch", "numpy", "numba", "verovio", "safetensors", "pyarrow", "optuna")


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A folder that belongs to one run.

    Args:
        path: the folder.
        options: the options of the run, as JSON values.
        resumed: whether an unfinished run with the same options was found there.
    """

    path: Path
    options: Mapping[str, Any]
    resumed: bool

    def finish(self, **facts: Any) -> None:  # noqa: ANN401
        """Record that the run is complete, with further facts."""
        write_json(self.path / _RECORD, _record(self.options, "finished", facts))


@contextmanager
def run_folder(
    path: Path, options: Mapping[str, Any], *, resume: bool = False, force: bool = False
) -> Iterator[RunFolder]:
    """Lock a folder for one run, record the options, and release it at the end.

    Args:
        path: the folder; made if missing.
        options: the options of the run, as JSON values; a resumed run must have the same.
        resume: continue an unfinished run with the same options.
        force: start anew in a folder that holds another run; its files are overwritten one by one.

    Raises:
        RunError: another process works there, it holds another run, or it is finished.
        InputError: it cannot be made or written.

    Examples:
        >>> import tempfile
        >>> with run_folder(Path(tempfile.mkdtemp()) / "mine", {"seed": 1}) as run:
        ...     run.finish(melodies=3)
        >>> finished(run.path)
        True
    """
    made_here = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / ".lock").open("a")
    except OSError as error:
        raise InputError(f"cannot use {path}: {error.strerror or error}", "give a folder that you may write") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f"another process works in {path}", "wait for it, or give another --out") from error
        resumed = _is_resumed(path, options, resume=resume, force=force)
        write_json(path / _RECORD, _record(options, "running", {}))
        try:
            yield RunFolder(path, options, resumed)
        except CantilenaError:
            _remove_if_unused(path, made_here=made_here)
            raise


def finished(path: Path) -> bool:
    """Return whether a folder holds a finished run."""
    record = path / _RECORD
    return record.is_file() and bool(read_json(record).get("state") == "finished")


def options_record(options: object) -> dict[str, Any]:
    """Return the JSON values of an options dataclass: paths as text, nested dataclasses as objects.

    A field with `metadata["omit_default"]`, one that was introduced after runs had been written, is left out if it has
    its default, so that these runs have the same options.
    """
    fields = dataclasses.fields(options)  # type: ignore[arg-type]
    values = {field: getattr(options, field.name) for field in fields}
    kept = {f: value for f, value in values.items() if "omit_default" not in f.metadata or value != default_of(f)}
    return {record_name(field): _json_value(value) for field, value in kept.items()}


def default_of(field: dataclasses.Field[Any]) -> Any:  # noqa: ANN401  (of any type)
    """Return the default of a field, of a group of options that of all of them."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def record_name(field: dataclasses.Field[Any]) -> str:
    """Return the name of an option in records: `metadata["record"]` of its field, or the field's name."""
    return str(field.metadata.get("record", field.name))


def options_digest(options: Mapping[str, Any]) -> str:
    """Return a short hash that tells two sets of options apart."""
    return hashlib.sha256(json_text(dict(options)).encode()).hexdigest()[:12]


def versions() -> dict[str, str]:
    """Return the versions of this package, Python and the libraries that affect results."""
    found = {"cantilena": __version__, "python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def _is_resumed(path: Path, options: Mapping[str, Any], *, resume: bool, force: bool) -> bool:
    """Check that a run may start in a folder; return whether it continues an earlier one."""
    record = path / _RECORD
    if force or not record.exists():
        if not force and any(entry.name != ".lock" for entry in path.iterdir()):
            raise RunError(f"{path} is not empty and holds no run", "give another --out, or --force to write into it")
        return False
    earlier = read_json(record)
    before = earlier.get("options") if isinstance(earlier, dict) else None
    if before != dict(options):
        raise RunError(
            f"{path} holds a run with other options{_difference(before, options)}",
            "give another --out, or --force to start anew there",
        )
    if earlier.get("state") == "finished":
        raise RunError(f"{path} holds a finished run", "read its results, give another --out, or --force")
    if not resume:
        raise RunError(f"{path} holds an unfinished run", "add --resume to go on, or --force to start anew")
    return True


def _difference(before: object, now: Mapping[str, Any]) -> str:
    """The first options that differ, in words."""
    if not isinstance(before, dict):
        return ""
    names = [name for name in {**now, **before} if before.get(name) != now.get(name)]
    told = [f"{name} is {_shown(before.get(name))} there and {_shown(now.get(name))} here" for name in names[:3]]
    return f": {', '.join(told)}{', ...' if len(names) > 3 else ''}"


def _shown(value: object) -> str:
    text = "not given" if value is None else value if isinstance(value, str) and value else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _remove_if_unused(path: Path, *, made_here: bool) -> None:
    """Remove the traces of a run that could not begin, so that the corrected command may use the folder."""
    if {entry.name for entry in path.iterdir()} <= {".lock", _RECORD}:
        (path / _RECORD).unlink(missing_ok=True)
        (path / ".lock").unlink(missing_ok=True)
        if made_here:
            path.rmdir()


def _record(options: Mapping[str, Any], state: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "state": state,
        "options": dict(options),
        "command": sys.argv[1:],
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": versions(),
        **facts,
    }


def _json_value(value: object) -> Any:  # noqa: ANN401
    if dataclasses.is_dataclass(value):
        return options_record(value)
    if isinstance(value, tuple | list):
        return [_json_value(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value
