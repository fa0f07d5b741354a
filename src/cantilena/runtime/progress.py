"""Progress: a bar with rate and time left on a terminal, a quiet line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Progress:
    """One long piece of work, told on stderr.

    Args:
        title: what is being done, as a person would say it.
        total: how many units of work, None if unknown.
        unit: what is counted: `files`, `epochs`, `updates`.

    Example:
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
        """Say that so many more units are done, and how it goes."""
        self.done += units


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
        rate = self.done / max(time.monotonic() - self.started, 1e-9)
        fields = {"note": note} if note else {}
        self._rich.update(self._task, advance=units, rate=f"{rate:.3g}/s", **fields)  # type: ignore[arg-type]

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
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self.every
        self._say(note, now)

    def _say(self, note: str, now: float) -> None:
        rate = self.done / max(now - self.started, 1e-9)
        left = f", {(self.total - self.done) / rate:.0f} s left" if self.total and rate > 0 else ""
        total = f"/{self.total}" if self.total else ""
        print(  # noqa: T201  (progress is what this file prints)
            f"{self.title}: {self.done}{total} {self.unit}, {rate:.3g}/s{left}{'; ' + note if note else ''}",
            file=sys.stderr,
            flush=True,
        )


@contextmanager
def progress(title: str, total: int | None = None, unit: str = "", *, quiet: bool = False) -> Iterator[Progress]:
    """Show how a long piece of work goes, on stderr.

    Args:
        title: what is being done.
        total: how many units of work, None if unknown.
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

    Example:
        >>> list(tracked([1, 2], "Counting", unit="beans"))
        [1, 2]
    """
    with progress(title, total, unit) as bar:
        for thing in things:
            yield thing
            bar.advance()


def log(text: str) -> None:
    """One line to the person who waits, on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
