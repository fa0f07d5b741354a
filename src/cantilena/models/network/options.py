"""The options of a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cantilena.errors import UsageError
from cantilena.models.conditions import check_conditions

Core = Literal["lstm", "gru", "rnn", "transformer"]
Input = Literal["features", "paper"]
NOTE_INPUTS = ("melody", "place", "length", "span", "repeats")
"""Groups of inputs of a network of notes that can be left out, besides look-back and conditions: earlier intervals and
durations; places in the bar and numbers of bars; how much is left; how long ago and how far away the latest long note,
the lowest and the highest note are; repeats."""
Precision = Literal["auto", "float32", "bfloat16"]
"""The type in which products are computed; `choose_precision` defines auto."""


@dataclass(frozen=True)
class NetworkOptions:
    """The shape of a network: input, core, head.

    Two fields have other names in bundles, run records and flags, given by `metadata["record"]`.

    Raises:
        UsageError: a value is invalid.

    Examples:
        >>> NetworkOptions.paper().width
        1024
    """

    core: Core = "lstm"
    """Recurrent cells (lstm, gru, rnn) or a small transformer."""
    layers: int = 1
    """Number of layers."""
    width: int = 128
    """Cells in each layer, or the size of a transformer's hidden vectors."""
    embedding: int = 128
    """Size of the input vectors of the first layer (not used by the paper's input)."""
    dropout: float = 0.1
    """Dropout rate of the output of each layer."""
    input: Input = "features"
    """features: tokens, position in the bar, look-back and so on; every step is predicted. paper: a window of tokens,
    each divided by the vocabulary size; only the step after the window is predicted."""
    bar_position: bool = True
    """Input features: the position in the bar and the length of the bar."""
    look_back: tuple[int, ...] = (1, 2, 4, 8)
    """Input features: the token this many bars ago, and for how many steps the melody has repeated it."""
    window: int = 40
    """Tokens in a window of the paper's input."""
    repeat_features: int = field(default=0, metadata={"record": "echoes"})
    """Input features: this many different tokens that followed the longest earlier matches of the last tokens, and the
    lengths of the matches."""
    attention: int = 0
    """Size of queries and keys of attention over earlier steps, which is added to the input of the head; 0 for none."""
    copy_head: bool = False
    """Mix the output with a distribution over copies of earlier tokens, weighted by length of match, distance and
    attention."""
    max_context: int = field(default=2048, metadata={"record": "reach"})
    """How many steps back repeat features, attention, copies and a transformer look; bounds the memory."""
    heads: int = 4
    """Attention heads in each layer of a transformer."""

    melodic: bool = field(default=False, metadata={"omit_default": True})
    """Input features of a grid: the last pitch and whether it sounds, the last two intervals and durations, and the
    steps since the last onset. Networks of notes always have these."""
    durations: tuple[int, ...] = field(default=(), metadata={"omit_default": True})
    """Tokens are those of notes (`NotesEncoding`), with these durations in ticks; none if each token is a step."""
    pitches: int = field(default=0, metadata={"omit_default": True})
    """The number of pitches of such tokens, rests not counted."""
    head_width: int = field(default=0, metadata={"record": "head", "omit_default": True})
    """Size of the two hidden layers of the head of a network of notes; 0 for the width of the core."""
    without: tuple[str, ...] = field(default=(), metadata={"omit_default": True})
    """Groups of the inputs of notes (`NOTE_INPUTS`) that are left out."""
    plan: bool = field(default=False, metadata={"omit_default": True})
    """Input of notes: the form of the melody (`Bars.plan`)."""
    harmony: bool = field(default=False, metadata={"omit_default": True})
    """Input of notes: the chord that sounds, the next one and the time to it (`Bars.chords`)."""

    conditions: tuple[str, ...] = ()
    """The network is given these conditions of a melody: key, mode, meter, style, role, register; in this order."""
    styles: tuple[str, ...] = ()
    """The names of the styles, if style is among the conditions."""
    modes: tuple[str, ...] = field(default=("major", "minor"), metadata={"omit_default": True})
    """The modes that the network has learned; others are unknown to it."""

    def __post_init__(self) -> None:
        if self.core not in ("lstm", "gru", "rnn", "transformer"):
            raise UsageError(f"there is no core '{self.core}'", "choose lstm, gru, rnn or transformer")
        if self.input not in ("features", "paper"):
            raise UsageError(f"there is no input '{self.input}'", "choose features or paper")
        for name, value, least, most in (
            ("layers", self.layers, 1, 16),
            ("width", self.width, 1, 8192),
            ("embedding", self.embedding, 1, 8192),
            ("window", self.window, 1, 4096),
            ("reach", self.max_context, 1, 8192),
            ("echoes", self.repeat_features, 0, 8),
            ("attention", self.attention, 0, 1024),
            ("head", self.head_width, 0, 8192),
        ):
            if not least <= value <= most:
                raise UsageError(f"{name} is {value}", f"give a whole number from {least} to {most}")
        if not 0.0 <= self.dropout < 1.0:
            raise UsageError(f"dropout is {self.dropout:g}", "give a rate from 0 to below 1, such as 0.4")
        if len(self.look_back) > 8 or any(not 1 <= bars <= 64 for bars in self.look_back):
            raise UsageError(f"look-back is {' '.join(map(str, self.look_back))}", "give up to 8 numbers from 1 to 64")
        if list(self.look_back) != sorted(set(self.look_back)):
            raise UsageError("the numbers of bars to look back are out of order", "give each once, in order: 1 2")
        check_conditions(self.conditions, self.styles, self.modes)
        if self.input == "paper" and (
            self.repeat_features or self.attends or self.conditions or self.core == "transformer"
        ):
            raise UsageError(
                "the paper's input with echoes, attention, a copy head, conditions or a transformer is not supported",
                "choose the input features, or leave these out",
            )
        if bool(self.durations) != bool(self.pitches) or (self.durations and self.input == "paper"):
            raise UsageError(
                f"{len(self.durations)} durations and {self.pitches} pitches with the input {self.input}",
                "give both or neither, with the input features",
            )
        if list(self.durations) != sorted(set(self.durations)) or self.durations[:1] not in ((), (1,)):
            raise UsageError(f"durations of {self.durations[:6]} ticks are out of order", "give each once, 1 first")
        if self.durations:
            from cantilena.tokenizers import MAX_DURATION  # imports numpy, for which no --help waits
        if self.durations and not (self.pitches <= 128 and self.durations[-1] <= MAX_DURATION):
            raise UsageError(
                f"{self.pitches} pitches, or a duration of more than {MAX_DURATION} ticks", "give those of an encoding"
            )
        if self.melodic and (self.durations or self.input == "paper"):
            raise UsageError("melodic inputs beside others that hold them, or none", "choose them for a grid only")
        if (self.plan or self.harmony or self.head_width) and not self.durations:
            raise UsageError("a plan, harmony or a wide head of a network of steps", "only networks of notes have them")
        if set(self.without) - set(NOTE_INPUTS) or (self.without and not self.durations):
            raise UsageError(
                f"inputs without {' '.join(self.without)}", f"leave out some of {', '.join(NOTE_INPUTS)}, of notes only"
            )
        if self.durations and (self.attends or self.core == "transformer"):
            raise UsageError(
                "a network of notes cannot attend, copy or be a transformer", "choose lstm, gru or rnn without these"
            )
        if self.core != "transformer":
            if self.heads != NetworkOptions.heads:
                raise UsageError(f"{self.heads} heads with the core {self.core}", "only a transformer has heads")
        elif not 1 <= self.heads <= 64 or self.width % self.heads:
            raise UsageError(
                f"width {self.width} and {self.heads} heads do not fit", "give 1 to 64 heads, and a multiple as width"
            )
        elif self.attends:
            raise UsageError(
                "a transformer cannot have a head that attends or copies", "leave it out: its layers attend already"
            )

    @property
    def uses_bars(self) -> bool:
        """Whether its features need `Bars`."""
        return self.input == "features" and bool(
            self.bar_position or self.look_back or self.conditions or self.durations
        )

    @property
    def head_inputs(self) -> int:
        """Size of what the last layer of the head reads."""
        return self.head_width or self.width

    @property
    def attends(self) -> bool:
        """Whether its head attends to earlier steps."""
        return self.copy_head or self.attention > 0

    @classmethod
    def paper(cls) -> NetworkOptions:
        """The paper's network, 3 x 1024 with 40 % dropout, on the input features."""
        return cls(layers=3, width=1024, embedding=256, dropout=0.4)
