"""Progress of long work on stderr: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Progress:
    """One long piece of work; this base class counts and shows nothing.

    Args:
        title: what is being done.
        total: number of units of work, None if unknown.
        unit: what is counted: `files`, `epochs`, `updates`.

    Examples:
        >>> with progress("Counting", total=2, unit="beans", quiet=True) as bar:
        ...     bar.advance(2, "all counted")
        >>> bar.done
        2
    """

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.done = 0
        self.started = time.monotonic()

    def advance(self, units: int = 1, note: str = "") -> None:
        """Count units that are done, with a note on the state of the work."""
        self.done += units

    def rate(self) -> float:
        """Return the units done a second so far."""
        return self.done / max(time.monotonic() - self.started, 1e-9)


@contextmanager
def progress(title: str, total: int | None = None, unit: str = "", *, quiet: bool = False) -> Iterator[Progress]:
    """Show the progress of a long piece of work on stderr.

    Args:
        title: what is being done.
        total: number of units of work, None if unknown.
        unit: what is counted.
        quiet: count, but show nothing.
    """
    if quiet:
        yield Progress(title, total, unit)
    elif sys.stderr.isatty():
        bar = _Bar(title, total, unit)
        try:
            yield bar
        finally:
            bar.stop()
    else:
        yield _Lines(title, total, unit)


def tracked(things: Iterable[T], title: str, total: int | None = None, unit: str = "") -> Iterator[T]:
    """Iterate, showing progress.

    Examples:
        >>> list(tracked([1, 2], "Counting", unit="beans"))
        [1, 2]
    """
    with progress(title, total, unit) as bar:
        for thing in things:
            yield thing
            bar.advance()


def log(text: str) -> None:
    """Print one line for the user on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


class _Bar(Progress):
    """A live bar (rich)."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        super().__init__(title, total, unit)
        from rich import progress as rich_progress
        from rich.console import Console

        self._rich = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}"),
            rich_progress.BarColumn(bar_width=24),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TextColumn("{task.fields[unit]}"),
            rich_progress.TextColumn("{task.fields[rate]}"),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._task = self._rich.add_task(title, total=total, unit=unit, rate="", note="")
        self._rich.start()

    def advance(self, units: int = 1, note: str = "") -> None:
        super().advance(units, note)
        fields = {"note": note} if note else {}
        self._rich.update(self._task, advance=units, rate=f"{self.rate():.3g}/s", **fields)  # type: ignore[arg-type]

    def stop(self) -> None:
        self._rich.stop()


class _Lines(Progress):
    """A line every few seconds, for logs and pipes."""

    every = 10.0
    """Seconds between lines."""

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        super().__init__(title, total, unit)
        self._next = self.started + self.every

    def advance(self, units: int = 1, note: str = "") -> None:
        super().advance(units, note)
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self.every
        rate = self.rate()
        left = f", {max(self.total - self.done, 0) / rate:.0f} s left" if self.total and rate > 0 else ""
        total = f"/{self.total}" if self.total else ""
        log(f"{self.title}: {self.done}{total} {self.unit}, {rate:.3g}/s{left}{'; ' + note if note else ''}")
