"""`cantilena export`."""

from __future__ import annotations

from pathlib import Path

from cantilena.cli.output import Answer
from cantilena.cli.parsing import Flags, Positional


def run(bundle: Positional[str], *, out: Path, force: bool = False, flags: Flags) -> Answer:
    """Write a model as ONNX, to run in a browser, on a phone or in C++ without Cantilena.

    The file documents each input and output; --json prints the same, for runtimes that do not show it. docs/models.md
    has ten lines that compose with it. Of a network of notes the inputs are features that Cantilena computes.

    Args:
        bundle: A model: a .safetensors file, or the name of one that ships with Cantilena.
        out: The .onnx file to write.
        force: Replace an existing file.

    Example:
        cantilena export tunes+rl-tuner --out tunes.onnx
    """
    from cantilena.errors import RunError, UsageError
    from cantilena.models import Bundle, find_bundle, onnx_bytes, onnx_facts
    from cantilena.runtime import log, write_bytes

    source = find_bundle(bundle)
    if out.is_dir():
        raise UsageError(f"{out} is a folder", "name the file itself, such as model.onnx")
    if out.exists() and out.samefile(source):
        raise UsageError(f"{out} is the model itself", "name another file, such as model.onnx")
    if out.exists() and not force:
        raise RunError(f"{out} exists already", "give another --out, or --force to replace it")
    model = Bundle.load(source)
    if model.ngram is not None:
        log("This model blends a network with an n-gram, which ONNX cannot represent: only the network is exported")
        model = model.without_ngram()
    content = onnx_bytes(model)
    write_bytes(out, content, overwrite=force)
    facts = onnx_facts(model)
    return Answer(
        {"model": str(out), "bytes": len(content), **facts},
        text=f"{len(facts['vocabulary'])} tokens, policy {facts['policy']}, {len(content):,} bytes: {out}\n"
        f"inputs: {', '.join([*facts['inputs'], *facts['state']])}",
    )
