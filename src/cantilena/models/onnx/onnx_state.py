"""What an ONNX graph is given and gives back: tokens and bars, and a state that begins as zeros."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.models.network.features import LONGEST_RUN, PLACES
from cantilena.models.network.options import NetworkOptions

LONGEST_BAR = PLACES
"""Steps of the longest bar that a graph counts: a bar of 4/4 in the finest grid, 24 steps a quarter note."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input of a graph, or a part of its state, which is an output too.

    Args:
        name: by which it is known.
        kind: `int64` or `float32`.
        shape: lengths, a name where the caller chooses.
        doc: what it means, in a sentence.
    """

    name: str
    kind: str
    shape: tuple[int | str, ...]
    doc: str

    @property
    def after(self) -> str:
        """The output that is given back as this part of the state."""
        return self.name.replace("state_", "next_", 1)


def steps_kept(options: NetworkOptions) -> int:
    """How many of the last tokens a graph keeps, so that all that it looks back on is there.

    Example:
        >>> steps_kept(NetworkOptions(look_back=(1, 2))), steps_kept(NetworkOptions(look_back=()))
        (207, 0)
    """
    if options.input == "paper":
        return options.window
    bars = max(options.look_back, default=0)
    return max(bars * LONGEST_BAR + LONGEST_RUN if bars else 0, options.reach if remembers(options) else 0)


def known_columns(options: NetworkOptions) -> list[str]:
    """The columns of features that are made of tokens and bars, in words; what comes after them is told beforehand.

    Example:
        >>> known_columns(NetworkOptions(bar_position=False, look_back=(1,)))
        ['token before', 'token 1 bar ago', 'steps on end like 1 bar ago']
    """
    if options.input == "paper":
        return [f"the last {options.window} tokens, each divided by the size of the vocabulary"]
    columns = ["token before"]
    columns += ["place in the bar", "steps in the bar, less one"] if options.bar_position else []
    for bars in options.look_back:
        ago = f"{bars} bar{'s' if bars > 1 else ''} ago"
        columns += [f"token {ago}", f"steps on end like {ago}"]
    columns += [f"token after match {number}" for number in range(1, options.echoes + 1)]
    return columns + [f"kind of match {number}, by its length" for number in range(1, options.echoes + 1)]


def remembers(options: NetworkOptions) -> bool:
    """Whether a network asks how long its melody's end matches earlier parts."""
    return bool(options.echoes) or options.attends


def memory(options: NetworkOptions) -> list[Port]:
    """The parts of the state that say what has sounded, whatever the weights."""
    ports = []
    if options.input == "features" and options.bar_position:
        ports.append(Port("state_clock", "int64", ("melodies",), "how many tokens were given before"))
    if kept := steps_kept(options):
        ports.append(
            Port(
                "state_heard", "int64", ("melodies", kept), "the last tokens, each plus one; 0 is before the beginning"
            )
        )
    if remembers(options):
        doc = "how long what lies before each of the last tokens equals the melody's end"
        ports.append(Port("state_matches", "int64", ("melodies", options.reach), doc))
    return ports


def hidden(options: NetworkOptions, prefix: str = "") -> list[Port]:
    """The parts of the state that a network's weights make.

    Args:
        options: its shape.
        prefix: told before each name, where a graph holds two networks.
    """
    if options.input == "paper":  # it begins anew in every window
        return []
    shape = ("melodies", options.layers, options.width)
    ports = [Port(f"state_{prefix}h", "float32", shape, "what the cells of each layer say")]
    if options.core == "lstm":
        ports.append(Port(f"state_{prefix}c", "float32", shape, "what the cells of each layer hold"))
    if options.attention:
        places = ("melodies", options.reach, 2 * options.attention)
        ports.append(Port(f"state_{prefix}places", "float32", places, "what attention finds at each of the last steps"))
    return ports


def asked(options: NetworkOptions, vocabulary_size: int, told: int) -> list[Port]:
    """The inputs besides the state.

    Args:
        options: the network's shape.
        vocabulary_size: how many tokens there are.
        told: how many things the network is told of a melody beforehand.
    """
    doc = (
        f"tokens, 0 to {vocabulary_size - 1}; a melody begins with {vocabulary_size}, once, with a state of zeros. "
        "One a call to compose, or many at once"
    )
    ports = [Port("tokens", "int64", ("melodies", "steps"), doc)]
    if options.input == "paper":
        return ports
    if options.bar_position or options.look_back:
        ports.append(
            Port(
                "steps_per_bar", "int64", ("melodies",), f"steps in a bar, 1 to {LONGEST_BAR}; 16 is 4/4 in sixteenths"
            )
        )
    if options.bar_position:
        ports.append(Port("pickup", "int64", ("melodies",), "steps before the first barline; 0 for none"))
    if told:
        ports.append(
            Port("told", "int64", ("melodies", told), "what is known beforehand, by number; 0 for what is not")
        )
    return ports
