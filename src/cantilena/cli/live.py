"""`cantilena live`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Seed
from cantilena.errors import UsageError
from cantilena.models.shipped import DEFAULT
from cantilena.workflows import LiveOptions


def run(
    *,
    midi_in: str = "",
    midi_out: str = "",
    list_ports: Annotated[bool, arg(name="list")] = False,
    options: LiveOptions,
    model: str = DEFAULT,
    out: Path | None = None,
    seed: Seed = 1,
    flags: Flags,
) -> Answer:
    """Play together with a model on MIDI devices: call and response.

    After a bar of count-in you play some bars, then the model answers with as many, and so on until Ctrl-C. It requires
    `pip install 'cantilena[live]'`.

    Args:
        midi_in: The MIDI input that you play on: its name or a part of it.
        midi_out: The MIDI output that sounds: answers on channel 1, the metronome on channel 10.
        list_ports: Only list the MIDI ports.
        model: The model that answers: a .safetensors file, or the name of one that ships with Cantilena.
        out: A .mid file for what was played, calls and answers.

    Example:
        cantilena live --list
        cantilena live --midi-in Keystation --midi-out FLUID --tempo 90 --bars 2 --out session.mid
    """
    from cantilena.workflows import RtMidiPorts, port_names

    if list_ports:
        inputs, outputs = port_names()
        text = "\n".join([*(f"--midi-in   {name}" for name in inputs), *(f"--midi-out  {name}" for name in outputs)])
        return Answer({"inputs": inputs, "outputs": outputs}, text=text or "no MIDI port: connect a device")
    if out is not None and out.suffix.lower() not in (".mid", ".midi"):
        raise UsageError(f"--out {out} is no MIDI file", "give a name that ends with .mid")
    from cantilena.generation import load
    from cantilena.io import write
    from cantilena.runtime import log
    from cantilena.workflows import LiveSession

    session = LiveSession(RtMidiPorts(midi_in, midi_out), load(model), options, seed=seed, show=log)
    with suppress(KeyboardInterrupt):  # how a session ends
        session.run()
    turns = 0 if session.melody is None else session.melody.bars // (2 * options.bars)
    if out is not None and session.melody is not None:
        write(session.melody, out)
    where = f" in {out}" if out is not None and turns else ""
    value = {"turns": turns, "late": session.late, "out": str(out) if where else None}
    return Answer(value, text=f"{turns} {'call' if turns == 1 else 'calls'} and answers{where}")
