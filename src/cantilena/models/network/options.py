"""What a network is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cantilena.errors import UsageError
from cantilena.models.conditions import check_conditions

Core = Literal["lstm", "gru", "rnn", "transformer"]
Input = Literal["features", "paper"]
Precision = Literal["auto", "float32", "bfloat16"]
"""What products are computed in: `choose_precision` says what auto is."""


@dataclass(frozen=True)
class NetworkOptions:
    """The shape of a network: input, core, head.

    Raises:
        UsageError: a value that no network can have.

    Example:
        >>> NetworkOptions.paper().width
        1024
    """

    core: Core = "lstm"
    """Recurrent cells, lstm, gru or the plain rnn of the paper's comparison; or a small transformer."""
    layers: int = 1
    """Layers, one upon the other."""
    width: int = 128
    """Cells in each layer; of a transformer, the size of what it says of a step."""
    embedding: int = 128
    """Size of the vector that describes a step to the first layer (not used by the paper's input)."""
    dropout: float = 0.1
    """Share of each layer's outputs that training leaves out."""
    input: Input = "features"
    """features: tokens, place in the bar and look-back, every step predicted. paper: a window of tokens as plain
    numbers divided by the vocabulary's size, and only the step after the window predicted."""
    bar_position: bool = True
    """Tell the network where in the bar a step lies and how long the bar is."""
    look_back: tuple[int, ...] = (1, 2, 4, 8)
    """Tell the network what sounded this many bars before the step to predict, and for how long the melody has been
    repeating it; empty for nothing."""
    window: int = 40
    """How many tokens the paper's input sees."""
    echoes: int = 0
    """Tell the network what followed the longest earlier passages of the melody that its end repeats, and how long they
    are: so many different answers; 0 for none."""
    attention: int = 0
    """Let the head hear what was sounded at earlier steps like the one to predict: the size of the queries and keys
    that tell which are; 0 for no attention."""
    copy_head: bool = False
    """Let each step be a copy of an earlier one, chosen by how long the passages before both match, how near it is, and
    by attention where there is any."""
    reach: int = 2048
    """How many steps back echoes, attention, copies and a transformer reach; memory does not grow beyond it."""
    heads: int = 4
    """In how many ways each layer of a transformer attends at once; no other core has any."""

    conditions: tuple[str, ...] = ()
    """Tell the network beforehand what is known of a melody: key, mode, meter, style; in this order."""
    styles: tuple[str, ...] = ()
    """The names of the styles that it is told, where style is among the conditions."""

    def __post_init__(self) -> None:
        if self.core not in ("lstm", "gru", "rnn", "transformer"):
            raise UsageError(f"there is no core '{self.core}'", "choose lstm, gru, rnn or transformer")
        if self.input not in ("features", "paper"):
            raise UsageError(f"there is no input '{self.input}'", "choose features or paper")
        for name, value, most in (
            ("layers", self.layers, 16),
            ("width", self.width, 8192),
            ("embedding", self.embedding, 8192),
            ("window", self.window, 4096),
            ("reach", self.reach, 8192),
        ):
            if not 1 <= value <= most:
                raise UsageError(f"{name} is {value}", f"give a whole number from 1 to {most}")
        self._check_memory()
        check_conditions(self.conditions, self.styles)
        if self.input == "paper" and self.conditions:
            raise UsageError("the paper's input with conditions", "choose the input features")
        self._check_heads()
        if not 0.0 <= self.dropout < 1.0:
            raise UsageError(f"dropout is {self.dropout:g}", "give a share from 0 to below 1, such as 0.4")
        if len(self.look_back) > 8 or any(not 1 <= bars <= 64 for bars in self.look_back):
            raise UsageError(
                f"look-back of {' '.join(map(str, self.look_back))} bars", "give up to 8 numbers from 1 to 64"
            )
        if list(self.look_back) != sorted(set(self.look_back)):
            raise UsageError("the bars to look back by are out of order", "give each once, the nearest first: 1 2")

    def _check_memory(self) -> None:
        for name, value, most in (("echoes", self.echoes, 8), ("attention", self.attention, 1024)):
            if not 0 <= value <= most:
                raise UsageError(f"{name} is {value}", f"give a whole number from 0, for none, to {most}")
        if self.input == "paper" and (self.echoes or self.attends):
            raise UsageError("the paper's input with echoes, attention or a copy head", "choose the input features")

    def _check_heads(self) -> None:
        if self.core != "transformer":
            if self.heads != NetworkOptions.heads:
                raise UsageError(f"{self.heads} heads with the core {self.core}", "only a transformer has heads")
            return
        if not 1 <= self.heads <= 64 or self.width % self.heads:
            raise UsageError(
                f"a width of {self.width} in {self.heads} heads", "give 1 to 64 heads, and a width that they divide"
            )
        if self.input == "paper":
            raise UsageError("the paper's input with a transformer", "choose the input features, or the core lstm")
        if self.attends:
            raise UsageError(
                "a transformer with a head that attends or copies", "leave it out: each of its layers attends already"
            )

    @property
    def uses_bars(self) -> bool:
        """Whether it cares where in its bar a step lies, or what else is known of a melody."""
        return self.input == "features" and bool(self.bar_position or self.look_back or self.conditions)

    @property
    def attends(self) -> bool:
        """Whether its head looks back over the melody."""
        return self.copy_head or self.attention > 0

    @classmethod
    def paper(cls) -> NetworkOptions:
        """The paper's network, 3 x 1024 with 40 % dropout, on the modern input."""
        return cls(layers=3, width=1024, embedding=256, dropout=0.4)
