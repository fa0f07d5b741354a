"""A session of call and response: count-in, call, answer, call ..., on any `MidiPorts`."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cantilena.errors import UsageError
from cantilena.generation import MOST_BARS_OF_CALL, Reply, SamplingOptions
from cantilena.music import Key, Melody, Meter, Note, Tempo

if TYPE_CHECKING:
    from cantilena.generation import Composer, Response
    from cantilena.workflows.midi_ports import MidiPorts

_NOTE_OFF, _NOTE_ON, _CONTROL = 0x80, 0x90, 0xB0
_ALL_NOTES_OFF = 123
_DRUMS = 9
"""Channel 10, whose notes are percussion in General MIDI."""
_HIGH_BLOCK, _LOW_BLOCK = 76, 77
_LEAD = 0.6
"""Seconds before the barline at which composing begins at the latest; one beat, if that is longer."""
_START = 0.5
_VELOCITY, _CLICK_SECONDS = 80, 0.05

_Pressed = tuple[int, float, float]
"""A pitch, and the times of press and release on the clock of the ports."""


@dataclass(frozen=True)
class LiveOptions:
    """How call and response are played."""

    bars: int = 4
    """Bars of each call and of each answer."""

    tempo: float = 100.0
    """Quarter notes a minute."""

    meter: str = "4/4"
    """The time signature."""

    key: str = ""
    """The key, such as "D minor"; by default it is found from the first call."""

    reply: Reply = "new"
    """Whether the model answers with a new phrase, or with the call and another ending."""

    range: str = ""
    """The lowest and highest note of the answers, such as C4-A5."""

    metronome: bool = True
    """Whether a metronome is sent on channel 10 of the output."""

    turns: int = 0
    """End after so many calls; 0 goes on until Ctrl-C."""

    sampling: SamplingOptions = field(default_factory=SamplingOptions)
    """How tokens are drawn."""

    def __post_init__(self) -> None:
        Meter.parse(self.meter)
        if self.key:
            Key.parse(self.key)
        if not 1 <= self.bars <= MOST_BARS_OF_CALL:
            raise UsageError(f"bars is {self.bars}", f"give 1 to {MOST_BARS_OF_CALL}")
        if not 20 <= self.tempo <= 400:
            raise UsageError(f"tempo is {self.tempo:g}", "give 20 to 400 quarter notes a minute")
        if self.turns < 0:
            raise UsageError(f"turns is {self.turns}", "give 1 or more, or 0 for no end")


@dataclass
class LiveSession:
    """What is played, and when; `run` plays it.

    The model is asked a beat before the barline with what was played until then; what is played in the last beat is
    kept in the melody, though the answer cannot follow it.

    Args:
        ports: the devices.
        composer: the model that answers.
        options: bars, tempo, meter and so on.
        seed: turn k is answered with `seed + k`.
        show: is told whose turn it is.

    Attributes:
        melody: all calls and answers so far; None before the first.
        late: answers that came after their first beat.
    """

    ports: MidiPorts
    composer: Composer
    options: LiveOptions
    seed: int = 1
    show: Callable[[str], None] = print
    melody: Melody | None = None
    late: int = 0
    _played: list[_Pressed] = field(default_factory=list)  # seconds of the clock, all keys that are up again
    _held: dict[int, float] = field(default_factory=dict)
    _due: list[tuple[float, int, tuple[int, ...]]] = field(default_factory=list)
    _sounding: set[tuple[int, int]] = field(default_factory=set)  # channel and pitch

    def run(self) -> None:
        """Play until the last turn or KeyboardInterrupt; in the end no note sounds, and the ports are closed."""
        from cantilena.generation import answer

        meter, tempo = Meter.parse(self.options.meter), Tempo.constant(self.options.tempo)
        bar, beat = tempo.seconds(meter.ticks_per_bar), tempo.seconds(meter.ticks_per_beat)
        span = self.options.bars * bar
        try:
            # The first answer takes longer: it compiles and loads.
            answer(self.composer, self._call([(60, 0.0, bar)], 0.0))
            self.show("Count-in")
            start = self.ports.now() + _START
            self._click(start, bar, beat)
            self._play_until(start + bar)
            call_at, turn = start + bar, 0
            with ThreadPoolExecutor(1) as executor:
                while not self.options.turns or turn < self.options.turns:
                    self.show("Your turn")
                    self._click(call_at, span, beat)
                    end = call_at + span
                    self._play_until(end - min(max(beat, _LEAD), span / 2))
                    asked = self._ask(executor, call_at, turn)
                    self._play_until(end)
                    asked = asked or self._ask(executor, call_at, turn)
                    if asked is None:
                        self.show("You played nothing")
                        call_at = end
                        continue
                    response = asked.result()
                    self.show("The model answers")
                    self._click(end, span, beat)
                    self._sound(response.notes, end, tempo)
                    try:
                        self._play_until(end + span)
                    finally:  # what was begun is kept, also after Ctrl-C
                        self._keep(response, call_at)
                    call_at, turn = end + span, turn + 1
        finally:
            self._silence()

    def _call(self, played: list[_Pressed], call_at: float) -> Melody:
        from cantilena.generation import PlayedNote, call_melody

        relative = [PlayedNote(pitch, on - call_at, off - call_at) for pitch, on, off in played]
        key = Key.parse(self.options.key) if self.options.key else self.melody.key if self.melody else None
        return call_melody(
            relative,
            bars=self.options.bars,
            tempo=self.options.tempo,
            meter=Meter.parse(self.options.meter),
            key=key,
        )

    def _notes(self, call_at: float) -> list[_Pressed]:
        """What was played since shortly before the call; keys that are down are held to its end."""
        tempo, meter = Tempo.constant(self.options.tempo), Meter.parse(self.options.meter)
        end = call_at + tempo.seconds(self.options.bars * meter.ticks_per_bar)
        held = [(pitch, on, max(on, end)) for pitch, on in self._held.items()]
        return [one for one in self._played + held if one[1] > call_at - tempo.seconds(meter.ticks_per_beat)]

    def _ask(self, executor: ThreadPoolExecutor, call_at: float, turn: int) -> Future[Response] | None:
        """Begin to compose; None if no note was played."""
        from cantilena.generation import answer  # slow to import: the help of the command only needs the options

        try:
            call = self._call(self._notes(call_at), call_at)
        except UsageError:
            return None
        options, seed = self.options, self.seed + turn
        return executor.submit(
            answer,
            self.composer,
            call,
            reply=options.reply,
            range=options.range,
            sampling=options.sampling,
            seed=seed,
        )

    def _keep(self, response: Response, call_at: float) -> None:
        """Append call and answer; the call with what was played while the answer was composed."""
        call = self._call(self._notes(call_at), call_at)
        both = call.then(Melody(response.notes, length=call.length))
        self.melody = self.melody.then(both) if self.melody is not None else both
        self._played = [one for one in self._played if one[2] > call_at + call.tempo.seconds(call.length)]

    def _click(self, start: float, seconds: float, beat: float) -> None:
        if not self.options.metronome:
            return
        per_bar = Meter.parse(self.options.meter).ticks_per_bar / Meter.parse(self.options.meter).ticks_per_beat
        for number in range(round(seconds / beat)):
            block = _LOW_BLOCK if number % per_bar else _HIGH_BLOCK
            self._schedule(start + number * beat, _CLICK_SECONDS, _DRUMS, block)

    def _sound(self, notes: tuple[Note, ...], start: float, tempo: Tempo) -> None:
        """Schedule an answer; notes whose time has passed are left out."""
        now = self.ports.now()
        for note in notes:
            if start + tempo.seconds(note.onset) < now - 0.05:
                self.late += note is notes[0]
                continue
            for pitch in note.pitches:
                length = tempo.seconds(note.duration)
                self._schedule(start + tempo.seconds(note.onset), length - min(0.01, length / 4), 0, pitch)

    def _schedule(self, start: float, seconds: float, channel: int, pitch: int) -> None:
        heapq.heappush(self._due, (start, 1, (_NOTE_ON | channel, pitch, _VELOCITY)))
        heapq.heappush(self._due, (start + seconds, 0, (_NOTE_OFF | channel, pitch, 0)))

    def _play_until(self, end: float) -> None:
        """Send what is due and receive what is played, until a time."""
        while True:
            upcoming = min(self._due[0][0] if self._due else end, end)
            for message in self.ports.messages(upcoming):
                self._receive(message.seconds, message.data)
            while self._due and self._due[0][0] <= upcoming:
                self._send(heapq.heappop(self._due)[2])
            if upcoming >= end:
                return

    def _send(self, data: tuple[int, ...]) -> None:
        key = data[0] & 0x0F, data[1]
        if data[0] & 0xF0 == _NOTE_ON:
            self._sounding.add(key)
        else:
            self._sounding.discard(key)
        self.ports.send(*data)

    def _receive(self, seconds: float, data: tuple[int, ...]) -> None:
        kind, values = data[0] & 0xF0, data[1:]
        if kind not in (_NOTE_OFF, _NOTE_ON) or len(values) != 2:
            return
        pitch, velocity = values
        since = self._held.pop(pitch, None)
        if since is not None:
            self._played.append((pitch, since, max(seconds, since)))
        if kind == _NOTE_ON and velocity:
            self._held[pitch] = seconds

    def _silence(self) -> None:
        """End what sounds, and close the ports."""
        try:
            for channel, pitch in sorted(self._sounding):
                self.ports.send(_NOTE_OFF | channel, pitch, 0)
            for channel in (0, _DRUMS):
                self.ports.send(_CONTROL | channel, _ALL_NOTES_OFF, 0)
        finally:
            self._sounding.clear()
            self._due.clear()
            self.ports.close()
