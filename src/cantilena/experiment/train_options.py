"""What `train` can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cantilena.errors import UsageError


@dataclass(frozen=True)
class TrainRequest:
    """A corpus, a preset, and what shall differ from it."""

    corpus: str
    """A corpus that ships with Cantilena, a corpus file, or a folder of scores."""

    valid: Path | None = None
    """A folder of held-out scores that training stops by, taken as it is; a part of the corpus if left out."""

    test: Path | None = None
    """A folder of held-out scores to measure on, taken as it is; a part of the corpus if left out."""

    encoding: Literal["grid", "events"] = "grid"
    """`grid`: a token a sixteenth. `events`: a token a note or chord, without time."""

    range: str = "C3-B5"
    """The lowest and highest pitch of the grid; notes outside are moved by octaves. RL Tuner's if left out."""

    keys: Literal["auto", "plain", "all"] = "auto"
    """`plain`: everything in C major or A minor. `all`: as it is, learned in random keys. `auto`: plain, but all where
    held-out folders are given or for events."""

    seconds: float | None = None
    """Learn from the first so many seconds of each piece of a folder."""

    preset: Literal["quick", "paper"] = "quick"
    """`quick`: minutes on two cores. `paper`: 3 x 1024, dropout 0.4, 200 epochs at most."""

    core: Literal["lstm", "gru", "rnn"] | None = None
    """The recurrent cells; the preset's if left out, like all that follows."""

    layers: int | None = None
    """Recurrent layers."""

    width: int | None = None
    """Cells in each layer."""

    dropout: float | None = None
    """Share of each layer's outputs that training leaves out."""

    input: Literal["features", "paper"] | None = None
    """`paper`: a window of 40 numbers, and only the step after it predicted, as the paper has it."""

    epochs: int | None = None
    """Passes through the training pieces, at most."""

    batch: int | None = None
    """Pieces that are learned from at once."""

    learning_rate: float | None = None
    """The highest learning rate."""

    patience: int | None = None
    """Epochs without a better held-out loss until training stops."""

    transpose: int | None = None
    """Learn each piece in a random key up to so many semitones up or down."""

    precision: Literal["auto", "float32", "bfloat16"] | None = None
    """What matrices are multiplied in."""

    seed: int = 1
    """The same seed, machine and versions give the same model."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where networks compute; auto takes an accelerator that is there."""

    def __post_init__(self) -> None:
        if not self.corpus.strip():  # as an unset shell variable gives it; it would mean the working folder
            raise UsageError("the corpus has no name", "name a built-in corpus, a corpus file or a folder of scores")
        if self.seconds is not None and not 0 < self.seconds < 1e6:
            raise UsageError(f"the first {self.seconds:g} seconds", "give a number of seconds over 0")
        if self.range != "C3-B5" and self.encoding == "events":
            raise UsageError("a range with events, which learn whatever notes there are", "leave --range to itself")
        if self.keys == "plain" and (self.valid or self.test or self.encoding == "events"):
            raise UsageError(
                "plain keys with held-out folders or events, which are taken as they are", "leave --keys to itself"
            )

    @property
    def plain_keys(self) -> bool:
        """Whether everything is transposed to C major or A minor."""
        taken_as_they_are = bool(self.valid or self.test) or self.encoding == "events"
        return self.keys == "plain" or (self.keys == "auto" and not taken_as_they_are)
