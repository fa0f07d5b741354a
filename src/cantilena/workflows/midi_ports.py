"""The one interface to MIDI devices, and its implementation by rtmidi2; no other file touches a device."""

from __future__ import annotations

import importlib.util
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from cantilena.errors import InputError, MissingError, UsageError


@dataclass(frozen=True, slots=True)
class TimedMessage:
    """A MIDI message as it arrived.

    Args:
        seconds: when, on the clock of the ports.
        data: its bytes: status, and up to two values of 0 to 127.
    """

    seconds: float
    data: tuple[int, ...]


class MidiPorts(Protocol):
    """An input, an output and a clock."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def messages(self, until: float) -> Iterator[TimedMessage]:
        """Wait until a time, and yield the messages that arrive before it."""

    def send(self, *data: int) -> None:
        """Send the bytes of a message now."""

    def close(self) -> None:
        """Close both ports."""


def port_names() -> tuple[list[str], list[str]]:
    """The names of the MIDI inputs and outputs of this computer.

    Raises:
        MissingError: rtmidi2 is not installed.
        InputError: this computer has no MIDI.
    """
    rtmidi2 = _library()
    try:
        return list(rtmidi2.get_in_ports()), list(rtmidi2.get_out_ports())
    except RuntimeError as error:
        raise _no_midi(error) from error


class RtMidiPorts:
    """Ports of rtmidi2.

    Args:
        midi_in: the name of an input, or a part of it.
        midi_out: the same of an output.

    Raises:
        MissingError: rtmidi2 is not installed.
        UsageError: there is no such port.
        InputError: this computer has no MIDI, or a port cannot be opened.
    """

    def __init__(self, midi_in: str, midi_out: str) -> None:
        rtmidi2 = _library()
        inputs, outputs = port_names()
        self._arrived: queue.SimpleQueue[TimedMessage] = queue.SimpleQueue()
        from_name = named_port(midi_in, inputs, "--midi-in")
        to_name = named_port(midi_out, outputs, "--midi-out")
        try:
            self._input, self._output = rtmidi2.MidiIn(), rtmidi2.MidiOut()
            # By number: a name would be read as a pattern.
            self._input.open_port(inputs.index(from_name))
            self._output.open_port(outputs.index(to_name))
        except RuntimeError as error:
            raise _no_midi(error) from error
        self._input.callback = self._receive  # by default clocks and system messages are left out

    def _receive(self, message: list[int], _: float) -> None:
        self._arrived.put(TimedMessage(self.now(), tuple(message)))

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def messages(self, until: float) -> Iterator[TimedMessage]:
        """Wait until a time, and yield the messages that arrive before it."""
        while (left := until - self.now()) > 0:
            try:
                yield self._arrived.get(timeout=left)
            except queue.Empty:
                return

    def send(self, *data: int) -> None:
        """Send the bytes of a message now."""
        self._output.send_raw(*data)

    def close(self) -> None:
        """Close both ports."""
        self._input.callback = None
        self._input.close_port()
        self._output.close_port()


def named_port(name: str, names: list[str], flag: str) -> str:
    """The port of a name, or the only one whose name contains it.

    Raises:
        UsageError: there is none, or there are several.

    Examples:
        >>> named_port("key", ["Keyboard 24:0", "Synth 20:0"], "--midi-in")
        'Keyboard 24:0'
    """
    found = [one for one in names if one == name] or [one for one in names if name.lower() in one.lower()]
    if len(found) != 1 or not name:
        wrong = f"{flag} {name}" if name else f"{flag} is not given"
        many = f"{wrong} names {len(found)} ports" if name and found else f"{wrong}: there is no such port"
        raise UsageError(
            many if name else wrong, f"choose one of: {', '.join(names) or 'none, no device is connected'}"
        )
    return found[0]


def _library() -> Any:  # noqa: ANN401  (an untyped library)
    if importlib.util.find_spec("rtmidi2") is None:
        raise MissingError("MIDI ports need rtmidi2, which is not installed", "pip install 'cantilena[live]'")
    import rtmidi2

    return rtmidi2


def _no_midi(error: RuntimeError) -> InputError:
    return InputError(
        f"the MIDI system of this computer fails: {error}", "check its drivers, and that no port is in use"
    )
