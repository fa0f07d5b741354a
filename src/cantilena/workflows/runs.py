"""What training, tuning and their relatives share: the result, options from keywords, and the folder of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from cantilena.errors import UsageError, unknown_name_hint
from cantilena.runtime import record_name

if TYPE_CHECKING:
    from cantilena.models import Bundle
    from cantilena.runtime import RunFolder

Options = TypeVar("Options")


@dataclass(frozen=True)
class TrainedModel:
    """A trained or tuned model, and what its run reports.

    Args:
        bundle: the model.
        path: its file; None if it was not saved.
        seconds: how long learning took.
        report: what the run reports, as JSON values: what `--json` prints beside the path.
        text: the same for a terminal.
    """

    bundle: Bundle
    path: Path | None
    seconds: float
    report: Mapping[str, Any] = field(repr=False)
    text: str = field(default="", repr=False)

    @property
    def epochs(self) -> int:
        """Passes through the training pieces; 0 for a tuned model."""
        return int(self.report.get("epochs", 0))

    @property
    def valid(self) -> Mapping[str, float | None]:
        """`nats_per_step` and `nats_per_note` on the validation pieces; empty for a tuned model."""
        return dict(self.report.get("valid", {}))

    @property
    def test(self) -> Mapping[str, float | None]:
        """The same on the test pieces."""
        return dict(self.report.get("test", {}))

    @property
    def metrics(self) -> Mapping[str, Mapping[str, Any]]:
        """Each metric of a tuned model's melodies by its name; empty for a trained one."""
        return dict(self.report.get("metrics", {}))

    def to_dict(self) -> dict[str, Any]:
        """The answer of `train --json` or `tune --json`."""
        return {"bundle": None if self.path is None else str(self.path), **self.report}


def make_options(kind: type[Options], values: Mapping[str, Any]) -> Options:
    """Options from keywords; those of nested groups go by their own names, as the flags do.

    Raises:
        UsageError: an unknown name, or a value that makes no sense.

    Examples:
        >>> from cantilena.rl import TuningOptions
        >>> make_options(TuningOptions, {"steps": 64, "look": 5}).watch.look
        5
        >>> make_options(TuningOptions, {"step": 64})
        Traceback (most recent call last):
        cantilena.errors.UsageError: there is no option 'step'
    """
    own, given = option_fields(kind), {}
    groups = {one.name: one.default_factory() for one in fields(kind) if one.default_factory is not MISSING}  # type: ignore[arg-type]
    nested: dict[str, dict[str, Any]] = {name: {} for name in groups}
    inner = {name: (group, field) for group in groups for name, field in option_fields(groups[group]).items()}
    for name, value in values.items():
        if name in inner and not is_dataclass(value):
            group, field = inner[name]
            check_choice(type(groups[group]), field, value)
            nested[group][field] = value
        elif name in own:
            check_choice(kind, own[name], value)
            given[own[name]] = tuple(value) if isinstance(value, list) else value
        else:
            raise UsageError(f"there is no option '{name}'", unknown_name_hint(name, [*own, *inner], "the options"))
    for group, changes in nested.items():
        given |= {group: replace(given.get(group, groups[group]), **changes)} if changes else {}
    return kind(**given)


def check_choice(kind: type, name: str, value: object) -> None:
    """Refuse a value of an option of a few named values that is none of them; the command line refuses it as it parses.

    Raises:
        UsageError: the value is none of them.
    """
    hint = get_type_hints(kind)[name]
    parts = [one for one in (hint, *get_args(hint)) if get_origin(one) is Literal]
    choices = [choice for part in parts for choice in get_args(part)]
    if choices and value not in choices and not (value is None and type(None) in get_args(hint)):
        raise UsageError(f"there is no {name} '{value}'", unknown_name_hint(str(value), choices, "the choices"))


def option_fields(options: object) -> dict[str, str]:
    """The fields of an options dataclass by their names as options, in records and as flags."""
    return {record_name(one): one.name for one in fields(options)}  # type: ignore[arg-type]


@contextmanager
def folder_or_temporary(out: Path | str | None) -> Iterator[Path]:
    """The folder that was asked for, or one that is removed at the end."""
    if out is not None:
        yield Path(out)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def clear_earlier_run(run: RunFolder, *patterns: str) -> None:
    """Remove an earlier run's checkpoints and results, unless this run resumes it.

    Without it, a forced run that is killed before its first checkpoint would resume from the earlier run's.
    """
    if run.resumed:
        return
    for pattern in patterns:
        for path in run.path.glob(pattern):
            if path.is_file() or path.is_symlink():
                path.unlink()
