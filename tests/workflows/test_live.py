"""A session of call and response on ports that are made up, with a made-up clock."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import cantilena.workflows.midi_ports as live_ports
from cantilena import workflows
from cantilena.cli import main
from cantilena.data import read_melody
from cantilena.errors import UsageError
from cantilena.generation import Composer, load
from cantilena.workflows import LiveOptions, LiveSession, TimedMessage
from cantilena.workflows.midi_ports import named_port

BEAT = 0.5
OPTIONS = LiveOptions(bars=1, tempo=120, key="C major", turns=2)
FIRST_CALL = 0.5 + 4 * BEAT
"""When the first call begins on the clock of the ports."""


@dataclass
class MadeUpPorts:
    """Ports that play a list of messages, and record what is sent. Waiting takes no time."""

    script: list[TimedMessage]
    interrupt_at: float = 1e9
    clock: float = 0.0
    sent: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)
    is_closed: bool = False

    def now(self) -> float:
        return self.clock

    def messages(self, until: float) -> Iterator[TimedMessage]:
        while self.script and self.script[0].seconds < until:
            message = self.script.pop(0)
            self.clock = max(self.clock, message.seconds)
            yield message
        self.clock = max(self.clock, until)
        if self.clock >= self.interrupt_at:
            self.interrupt_at = 1e9
            raise KeyboardInterrupt

    def send(self, *data: int) -> None:
        self.sent.append((self.clock, data))

    def close(self) -> None:
        self.is_closed = True

    def notes(self, channel: int, kind: int = 0x90) -> list[tuple[float, int]]:
        """Times and pitches of the notes that began on a channel."""
        return [(seconds, data[1]) for seconds, data in self.sent if data[0] == kind | channel]


def keys(start: float, *pitches: int) -> list[TimedMessage]:
    """Quarter notes from a time on; every second release is a note of velocity 0."""
    made = []
    for at, pitch in enumerate(pitches):
        on = start + at * BEAT
        off = (0x90, pitch, 0) if at % 2 else (0x80, pitch, 64)
        made += [TimedMessage(on, (0x90, pitch, 90)), TimedMessage(on + 0.8 * BEAT, off)]
    return made


@pytest.fixture(scope="module")
def tunes() -> Composer:
    return load("tunes")


def played(
    tunes: Composer, options: LiveOptions = OPTIONS, **ports: float
) -> tuple[LiveSession, MadeUpPorts, list[str]]:
    script = [*keys(FIRST_CALL, 60, 64, 67, 72), *keys(FIRST_CALL + 8 * BEAT, 67, 65, 64, 62)]
    made, shown = MadeUpPorts(script, **ports), list[str]()
    session = LiveSession(made, tunes, options, seed=3, show=shown.append)
    try:
        session.run()
    except KeyboardInterrupt:
        shown.append("interrupted")
    return session, made, shown


def test_each_call_is_answered_at_its_barline_and_both_are_kept(tunes: Composer) -> None:
    session, ports, shown = played(tunes)
    assert shown == ["Count-in", *["Your turn", "The model answers"] * 2]
    melody = session.melody
    assert melody is not None
    assert (melody.bars, melody.length, session.late) == (4, 384, 0)
    assert [(note.top, note.onset) for note in melody.until(96).notes] == [(60, 0), (64, 24), (67, 48), (72, 72)]
    assert [note.top for note in melody.between(192, 288).notes] == [67, 65, 64, 62]
    answers = [note for note in melody.sounding if note.onset // 96 % 2]
    expected = [(FIRST_CALL + note.onset / 24 * BEAT, note.top) for note in answers]
    assert ports.notes(0) == [(pytest.approx(seconds), pitch) for seconds, pitch in expected]
    assert answers[-1].top % 12 == 0


def test_the_metronome_is_on_channel_10_or_off(tunes: Composer) -> None:
    _, ports, _ = played(tunes)
    clicks = ports.notes(9)
    assert [seconds for seconds, _ in clicks] == pytest.approx([0.5 + BEAT * beat for beat in range(20)])
    assert [block for _, block in clicks[:5]] == [76, 77, 77, 77, 76]
    _, silent, _ = played(tunes, LiveOptions(bars=1, tempo=120, key="C major", turns=2, metronome=False))
    assert silent.notes(9) == []
    assert silent.notes(0) == ports.notes(0)


@pytest.mark.parametrize("after", [1.0, 6.2, 6.9, 9.0])
def test_ctrl_c_ends_every_note_and_keeps_what_was_played(tunes: Composer, after: float) -> None:
    session, ports, shown = played(tunes, interrupt_at=after)
    assert shown[-1] == "interrupted"
    assert ports.is_closed
    for channel in (0, 9):
        on, off = (sorted(pitch for _, pitch in ports.notes(channel, kind)) for kind in (0x90, 0x80))
        assert on == off
        assert (0xB0 | channel, 123, 0) in [data for _, data in ports.sent]
    assert (session.melody is None) == (after < FIRST_CALL + 4 * BEAT)


def test_a_silent_call_begins_again(tunes: Composer) -> None:
    ports, shown = MadeUpPorts(keys(FIRST_CALL + 4 * BEAT, 60, 62, 64)), list[str]()
    session = LiveSession(ports, tunes, LiveOptions(bars=1, tempo=120, turns=1), show=shown.append)
    session.run()
    assert shown == ["Count-in", "Your turn", "You played nothing", "Your turn", "The model answers"]
    assert session.melody is not None
    assert session.melody.notes[0].top == 60


def test_other_messages_are_ignored_and_held_keys_end_with_the_call(tunes: Composer) -> None:
    script = [
        TimedMessage(FIRST_CALL, (0x90, 60, 90)),
        TimedMessage(FIRST_CALL + 0.1, (0xB0, 64, 127)),
        TimedMessage(FIRST_CALL + 0.2, (0xC0, 5)),
    ]
    session = LiveSession(MadeUpPorts(script), tunes, LiveOptions(bars=1, tempo=120, turns=1), show=lambda _: None)
    session.run()
    assert session.melody is not None
    assert [(note.top, note.duration) for note in session.melody.until(96).notes] == [(60, 96)]


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="bars is 0"):
        LiveOptions(bars=0)
    with pytest.raises(UsageError, match="tempo is 5"):
        LiveOptions(tempo=5)
    with pytest.raises(UsageError, match="not a meter"):
        LiveOptions(meter="four")


def test_ports_are_found_by_a_part_of_their_name() -> None:
    names = ["Keyboard 1", "Keyboard 2", "Synth"]
    assert named_port("synth", names, "--midi-out") == "Synth"
    with pytest.raises(UsageError, match="names 2 ports"):
        named_port("keyboard", names, "--midi-in")
    with pytest.raises(UsageError, match="there is no such port"):
        named_port("organ", names, "--midi-in")
    with pytest.raises(UsageError, match="--midi-in is not given"):
        named_port("", [], "--midi-in")


def test_the_command_writes_what_was_played(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = MadeUpPorts(keys(FIRST_CALL, 60, 64, 67, 72))
    monkeypatch.setattr(workflows, "RtMidiPorts", lambda midi_in, midi_out: ports)
    out = tmp_path / "session.mid"
    words = ["live", "--midi-in", "a", "--midi-out", "b", "--bars", "1", "--tempo", "120", "--turns", "1", "--json"]
    assert main([*words, "--out", str(out)]) == 0
    assert json.loads(capsys.readouterr().out) == {"turns": 1, "late": 0, "out": str(out)}
    assert [note.top for note in read_melody(str(out)).until(96).notes] == [60, 64, 67, 72]


def test_without_the_library_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "rtmidi2" else find(name, *more)
    )
    assert main(["live", "--list", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["hint"] == "pip install 'cantilena[live]'"
    assert main(["live", "--out", "session.wav", "--json"]) == 2


class _Device:
    """What rtmidi2 offers, as far as it is used."""

    def __init__(self) -> None:
        self.opened: int | None = None
        self.sent: list[tuple[int, ...]] = []
        self.callback = None

    def open_port(self, number: int) -> None:
        self.opened = number

    def send_raw(self, *data: int) -> None:
        self.sent.append(data)

    def close_port(self) -> None:
        self.opened = None


def test_the_adapter_opens_ports_by_number_and_stamps_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        MidiIn = MidiOut = _Device
        get_in_ports = staticmethod(lambda: ["Through", "Keys [1]*"])
        get_out_ports = staticmethod(lambda: ["Synth"])

    monkeypatch.setattr(live_ports, "_library", lambda: Library)
    ports = live_ports.RtMidiPorts("keys", "synth")
    assert (ports._input.opened, ports._output.opened) == (1, 0)
    ports._input.callback([0x90, 60, 1], 0.0)
    start = ports.now()
    (message,) = ports.messages(start + 0.02)
    assert message.data == (0x90, 60, 1)
    assert message.seconds <= start
    assert ports.now() >= start + 0.02
    ports.send(0x80, 60, 0)
    assert ports._output.sent == [(0x80, 60, 0)]
    ports.close()
    assert (ports._input.opened, ports._input.callback) == (None, None)
