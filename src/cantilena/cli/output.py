"""The answer of a command on stdout, which holds nothing else; other output on stderr. A closed pipe is no error."""

from __future__ import annotations

import ctypes
import io
import os
import select
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any, TextIO


@dataclass(frozen=True)
class Answer:
    """The answer of a command.

    Args:
        value: what `--json` prints, as JSON values: an undefined number is None with a reason beside it, never NaN.
        text: what is printed otherwise; nothing if empty.
        status: the exit status, 0 unless the answer itself is negative.
    """

    value: Mapping[str, Any]
    text: str = ""
    status: int = 0


def show(answer: Answer, *, as_json: bool) -> int:
    """Print an answer on stdout and return its exit status.

    Raises:
        OSError: stdout cannot be written, as on a full disk; a reader that left early is no error.
    """
    if as_json and (answer.value or not answer.text):
        from cantilena.runtime import json_text

        text = json_text(dict(answer.value))
    else:
        text = answer.text and answer.text.rstrip("\n") + "\n"
    print_flushed(text, sys.stdout)
    return answer.status


@contextmanager
def stdout_to_stderr(*, when: bool) -> Iterator[None]:
    """Redirect to stderr what the block prints, from Python or from compiled libraries."""
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
            ctypes.CDLL(None).fflush(None)  # buffers of compiled libraries must not reach stdout later
            os.dup2(kept, out)
            os.close(kept)


def print_flushed(text: str, stream: TextIO | None) -> None:
    """Print and flush; a closed pipe is ignored.

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
    except BrokenPipeError:
        _discard(stream)
    except OSError:
        _discard(stream)
        raise


def silence(*streams: TextIO | None) -> None:
    """Discard all further output, that of compiled libraries at exit included."""
    for stream in streams:
        if stream is not None:
            _discard(stream)


def reader_is_gone() -> bool:
    """Return whether the pipe at stdout or stderr is closed at its other end; if so, discard further output."""
    poll = select.poll()
    watched = [descriptor for stream in (sys.stdout, sys.stderr) if (descriptor := _descriptor(stream)) is not None]
    for descriptor in watched:
        poll.register(descriptor, select.POLLERR)
    left = any(event & select.POLLERR for _, event in poll.poll(0))
    if left:
        silence(sys.stdout, sys.stderr)
    return left


def _descriptor(stream: TextIO | None) -> int | None:
    with suppress(OSError, ValueError, AttributeError):
        return stream.fileno() if stream is not None else None
    return None


def _discard(stream: TextIO) -> None:
    """Redirect a stream to /dev/null, so that the interpreter's last flush does not fail again."""
    descriptor = _descriptor(stream)
    if descriptor is None:
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
