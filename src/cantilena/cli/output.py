"""Stdout is for the answer alone: everything else goes to stderr, and a reader may leave early."""

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
    """Redirect what the block prints to stderr, from Python or from compiled libraries."""
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
            ctypes.CDLL(None).fflush(None)  # what compiled libraries buffer must not come out later
            os.dup2(kept, out)
            os.close(kept)


def print_whole(text: str, stream: TextIO | None) -> None:
    """Print and flush; a reader that left early (`| head`) is no error.

    Raises:
        OSError: the stream cannot be written, as on a full disk.
    """
    if stream is None or not text:
        return
    if isinstance(stream, io.TextIOWrapper):
        # A file name that is not UTF-8 becomes an escape, which JSON reads back as the same name.
        stream.reconfigure(errors="backslashreplace")
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        silence(stream)  # the interpreter flushes once more at the end, and must not fail a second time
        if not isinstance(error, BrokenPipeError):
            raise


def silence(*streams: TextIO | None) -> None:
    """Discard what is printed from here on, by compiled libraries too."""
    for descriptor in map(_descriptor, streams):
        if descriptor is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


def reader_left() -> bool:
    """Whether the reader of stdout or stderr has left, so that printing is the reason of a broken pipe."""
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        if (descriptor := _descriptor(stream)) is not None:
            poll.register(descriptor, select.POLLERR)
    left = any(event & select.POLLERR for _, event in poll.poll(0))
    if left:
        silence(sys.stdout, sys.stderr)
    return left


def _descriptor(stream: TextIO | None) -> int | None:
    with suppress(OSError, ValueError, AttributeError):
        return stream.fileno() if stream is not None else None
    return None
