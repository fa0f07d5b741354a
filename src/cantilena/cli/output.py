"""Stdout is for the answer alone: what else is printed goes to stderr, and a reader may leave early."""

from __future__ import annotations

import ctypes
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO


@contextmanager
def stdout_to_stderr(*, when: bool) -> Iterator[None]:
    """Send to stderr what the block prints, from Python or from compiled libraries below it."""
    if not when or sys.stderr is None:
        yield
        return
    out, err = _descriptor(sys.stdout), _descriptor(sys.stderr)
    with redirect_stdout(sys.stderr):
        if out is None or err is None:
            yield
            return
        kept = os.dup(out)
        try:
            os.dup2(err, out)
            yield
        finally:
            ctypes.CDLL(None).fflush(None)  # what compiled libraries hold back must not come out later
            os.dup2(kept, out)
            os.close(kept)


def print_whole(text: str, stream: TextIO | None) -> None:
    """Print and flush; a reader that went away (`| head`) is no error.

    Raises:
        OSError: the stream cannot take it, as on a full disk.
    """
    if stream is None or not text:
        return
    if isinstance(stream, io.TextIOWrapper):
        # A file name that is not UTF-8 becomes an escape, which JSON reads back as the same name.
        stream.reconfigure(errors="backslashreplace")
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        _forget(stream)
    except OSError:
        _forget(stream)
        raise


def be_silent(*streams: TextIO | None) -> None:
    """Print nothing from here on, not even what compiled libraries say at the end."""
    for stream in streams:
        if stream is not None:
            _forget(stream)


def reader_left() -> bool:
    """Whether whoever read stdout or stderr has gone, so that printing is the reason of a broken pipe."""
    poll = select.poll()
    watched = [descriptor for stream in (sys.stdout, sys.stderr) if (descriptor := _descriptor(stream)) is not None]
    for descriptor in watched:
        poll.register(descriptor, select.POLLERR)
    left = any(event & select.POLLERR for _, event in poll.poll(0))
    if left:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                _forget(stream)
    return left


def _descriptor(stream: TextIO | None) -> int | None:
    with suppress(OSError, ValueError, AttributeError):
        return stream.fileno() if stream is not None else None
    return None


def _forget(stream: TextIO) -> None:
    """Let the interpreter's last flush go nowhere instead of failing a second time."""
    descriptor = _descriptor(stream)
    if descriptor is None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
