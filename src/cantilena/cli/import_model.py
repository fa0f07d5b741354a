"""`cantilena import`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional


def run(
    file: Positional[Path],
    *,
    out: Path,
    low: str = "C3",
    first: str = "C4",
    hold_class: Literal["auto", "0", "1"] = "auto",
    scope: str | None = None,
    licence: str = "",
    force: bool = False,
    flags: Flags,
) -> Answer:
    """Import the weights of Magenta's Note RNN, as a bundle to tune and compose with.

    docs/models.md says how to write the .npz file from a TensorFlow checkpoint.

    Args:
        file: An .npz file with the network's variables by their TensorFlow names.
        out: The bundle to write, a .safetensors file.
        low: The pitch of class 2, the lowest: a name or a MIDI number.
        first: The token that the network is given before the first step: a note, hold or off.
        hold_class: Which class is the hold: 0 as in Magenta's melodies, 1 as in RL Tuner's rules. auto decides by
            samples of the model.
        scope: The prefix of the variables' names, if the file holds several networks.
        licence: The licence of the weights, for whoever passes the bundle on.
        force: Replace an existing bundle.

    Example:
        cantilena import note_rnn.npz --licence "Apache 2.0" --out note_rnn.safetensors
    """
    from cantilena.errors import RunError, UsageError
    from cantilena.models import note_rnn_bundle, parameters, read_note_rnn
    from cantilena.music import Pitch

    if out.is_dir():
        raise UsageError(f"{out} is a folder", "name the bundle itself, such as note_rnn.safetensors")
    if out.exists() and not force:
        raise RunError(f"{out} exists already", "give another --out, or --force to replace it")
    lowest = int(low) if low.isdecimal() and len(low) < 4 else int(Pitch.parse(low))
    note_rnn = read_note_rnn(file, scope=scope)
    hold = None if hold_class == "auto" else int(hold_class)
    bundle = note_rnn_bundle(note_rnn, low=lowest, first=first, hold_class=hold, licence=licence, name=file.name)
    bundle.save(out, overwrite=force)
    encoding, options, imported = bundle.encoding, bundle.network_options(), bundle.provenance["imported"]
    size = parameters(options, len(encoding.vocabulary))
    return Answer(
        {
            "bundle": str(out),
            "layers": options.layers,
            "width": options.width,
            "vocabulary": len(encoding.vocabulary),
            "low": encoding.vocabulary[2],
            "high": encoding.vocabulary[-1],
            "parameters": size,
            **{key: imported[key] for key in ("first", "hold_class", "scope", "sha256")},
            "left_out": list(note_rnn.left_out),
        },
        text=f"{options.layers} x {options.width} LSTM, {size:,} parameters, {encoding.vocabulary[2]} to "
        f"{encoding.vocabulary[-1]}; class {imported['hold_class']} is the hold: {out}",
    )
