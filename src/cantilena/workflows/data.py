"""What models learn from and are measured on: a corpus as tokens, split by piece.

Which style each melody of a corpus is told to be of: its composer, its collection, or a cluster.

People's melodies in the words of a model: what its own are held beside.

Which corpus a bundle learned, where it ships with the package: people's melodies to hold the model's beside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cantilena.data import SPLITS, Corpus, Split, Styles, in_plain_key, open_corpus
from cantilena.errors import CorpusError, UsageError
from cantilena.models import CONDITIONS, UNKNOWN, Bars, Bundle, Sequences, condition_ids
from cantilena.music import Key, Melody, find_key
from cantilena.rules import Context
from cantilena.runtime import say
from cantilena.tokenizers import Encoding, EventsEncoding, GridEncoding
from cantilena.workflows.learned_corpus import shipped_corpus

COLUMNS = ("collection", "composer")
"""What a corpus says of each melody itself; anything else is the file of its clusters."""

LEAST = 12
"""Melodies to learn from that make a style; what fewer are of is told of none."""


@dataclass(frozen=True)
class StyleLabels:
    """The styles of a corpus as a network is told them.

    Args:
        names: of the styles, the most frequent first.
        of_split: for each melody of a split the number of its style, from 1 on; 0 where it has none.
        by: what tells them: `collection`, `composer` or `clusters.json`; "" for nothing.
    """

    names: tuple[str, ...] = ()
    of_split: Mapping[Split, Sequence[int]] | None = None
    by: str = ""

    def of(self, split: Split) -> Sequence[int] | None:
        """The numbers of the styles of a split's melodies; None where nothing is known."""
        return self.of_split[split] if self.of_split is not None and split in self.of_split else None


def style_labels(corpus: Corpus, by: str) -> StyleLabels:
    """The styles of a corpus by what tells them.

    Args:
        corpus: with its splits.
        by: `collection`, `composer`, or the `clusters.json` that `corpus cluster` wrote; nothing where empty.

    Raises:
        UsageError: fewer than two styles.
        CorpusError: the file holds no styles.
    """
    if not by.strip():
        return StyleLabels()
    parts = {split: corpus.split(split) for split in SPLITS}
    if by in COLUMNS:
        called = {split: list(part.column(by)) for split, part in parts.items()}
    else:
        styles = Styles.load(Path(by))
        called = {split: styles.column(part) for split, part in parts.items()}
    counts = Counter(name for name in called["train"] if name.strip())
    names = tuple(name for name, count in counts.most_common() if count >= LEAST)
    if len(names) < 2:
        raise UsageError(
            f"by {by} the corpus has {len(names)} style{'s' if len(names) != 1 else ''} of {LEAST} melodies or more",
            "choose collection, composer, or the clusters.json of `cantilena corpus cluster`",
        )
    rare = sum(count for name, count in counts.items() if name not in names)
    if rare:
        say(f"{len(names)} styles by {by}; {rare} melodies are of none, since fewer than {LEAST} are like them")
    numbers = {name: number for number, name in enumerate(names, 1)}
    of_split = {split: [numbers.get(name, 0) for name in some] for split, some in called.items()}
    return StyleLabels(names, of_split, by if by in COLUMNS else "clusters.json")


def usual_settings(labels: StyleLabels, melodies: Sequence[Melody]) -> dict[str, Any]:
    """The usual meter and key of each style, and how many melodies it was learned from, as JSON values.

    Args:
        labels: the styles.
        melodies: those of the training part, in its order.
    """
    numbers = labels.of("train")
    if numbers is None:
        return {}
    usual: dict[str, Any] = {}
    for number, name in enumerate(labels.names, 1):
        own = [melody for melody, style in zip(melodies, numbers, strict=True) if style == number]
        keys = [key for key in (melody.key or find_key(melody) for melody in own) if key is not None]
        usual[name] = {
            "melodies": len(own),
            "meter": Counter(str(melody.meter) for melody in own).most_common(1)[0][0],
            "key": Counter(key.name for key in keys).most_common(1)[0][0] if keys else None,
        }
    return usual


@dataclass(frozen=True)
class Pieces:
    """The melodies of one split, as they are and as tokens.

    Args:
        melodies: in the key in which they are learned.
        sequences: their tokens and bars, in the same order.
        timed: whether their steps are equal stretches of time.
    """

    melodies: tuple[Melody, ...]
    sequences: Sequences
    timed: bool = True

    def __len__(self) -> int:
        return len(self.melodies)


@dataclass(frozen=True)
class Material:
    """A corpus, encoded.

    Args:
        encoding: what the tokens mean.
        train: what models learn from.
        valid: what stops their training.
        test: what nobody has seen.
        plain_keys: whether all was transposed to C major or A minor.
        folded: notes moved by octaves into the range.
        rounded: notes moved to the grid.
        dropped: notes that the encoding cannot say.
        styles: the usual meter and key of each style by its name (`usual_settings`); empty where none are told.
        styles_by: what tells them, as `StyleLabels.by`.
    """

    encoding: Encoding
    train: Pieces
    valid: Pieces
    test: Pieces
    normalized_key: bool
    folded: int
    rounded: int
    dropped: int
    styles: Mapping[str, Any] = field(default_factory=dict)
    styles_by: str = ""


def grid_material(corpus: Corpus, styles: StyleLabels | None = None) -> Material:
    """The melodies of a corpus on RL Tuner's grid, in C major or A minor.

    Raises:
        CorpusError: a split holds no melody.
    """
    return material_of({split: corpus.melodies(split) for split in SPLITS}, "grid", normalized_key=True, styles=styles)


def events_material(corpus: Corpus) -> Material:
    """The notes and chords of a corpus as the paper's section VII reads them: as they are, no key, no time."""
    return material_of({split: corpus.melodies(split) for split in SPLITS}, "events", normalized_key=False)


def material_of(
    melodies: Mapping[Split, Sequence[Melody]],
    encoding: str,
    *,
    normalized_key: bool,
    grid: GridEncoding | None = None,
    styles: StyleLabels | None = None,
) -> Material:
    """Melodies by split, encoded.

    Args:
        melodies: of each split.
        encoding: `grid`, or `events`, whose vocabulary is that of all splits: were a chord that only a held-out piece
            has left out of it, the rarest steps would go uncounted, and every likelihood would look better than it is.
        plain_keys: transpose each melody to C major or A minor, in the octave that fits the grid's range.
        grid: the grid; RL Tuner's where None.
        styles: of the melodies, None where they are not known.

    Raises:
        CorpusError: a split holds no melody.
    """
    grid, styles = grid or GridEncoding(), styles or StyleLabels()
    parts = {split: list(some) for split, some in melodies.items()}
    if normalized_key:
        parts = {split: [in_plain_key(m, low=grid.low, high=grid.high) for m in some] for split, some in parts.items()}
    spoken: Encoding = grid
    if encoding == "events":
        spoken = EventsEncoding.learned_from([melody for some in parts.values() for melody in some])
    fits = {split: [spoken.fit(melody) for melody in some] for split, some in parts.items()}
    usual = usual_settings(styles, parts["train"])
    pieces = {
        split: encode_pieces(spoken, [fit.melody for fit in some], styles.of(split)) for split, some in fits.items()
    }
    for split, some in pieces.items():
        if not len(some):
            raise CorpusError(f"the corpus holds no melody to {_PURPOSE[split]}", "give a corpus of 10 pieces or more")
    every = [fit for some in fits.values() for fit in some]
    return Material(
        encoding=spoken,
        train=pieces["train"],
        valid=pieces["valid"],
        test=pieces["test"],
        normalized_key=normalized_key,
        folded=sum(fit.folded for fit in every),
        rounded=sum(fit.rounded for fit in every),
        dropped=sum(fit.dropped for fit in every),
        styles=usual,
        styles_by=styles.by,
    )


def encode_pieces(encoding: Encoding, melodies: Sequence[Melody], styles: Sequence[int] | None = None) -> Pieces:
    """Melodies as tokens, those without a token left out.

    Args:
        encoding: what the tokens mean.
        melodies: on its grid and in its range.
        styles: the number of the style of each, 0 for none; None where none is known.
    """
    numbers = [UNKNOWN] * len(melodies) if styles is None else styles
    encoded = [(melody, style, encoding.encode(melody)) for melody, style in zip(melodies, numbers, strict=True)]
    kept = [(melody, style, tokens) for melody, style, tokens in encoded if len(tokens)]
    step = encoding.ticks_per_step
    known = [condition_ids(melody.key or find_key(melody), melody.meter, style) for melody, style, _ in kept]
    bars = Bars(
        np.array([max(melody.meter.ticks_per_bar // step, 1) for melody, _, _ in kept], dtype=np.int64),
        np.array([melody.pickup // step for melody, _, _ in kept], dtype=np.int64),
        np.array(known, dtype=np.int64).reshape(len(kept), len(CONDITIONS)),
    )
    sequences = Sequences(tuple(tokens for _, _, tokens in kept), bars)
    return Pieces(tuple(melody for melody, _, _ in kept), sequences, encoding.is_timed)


@dataclass(frozen=True)
class Excerpts:
    """Stretches of equal length out of pieces.

    Args:
        tokens: `(excerpts, steps)`.
        piece: `(excerpts,)`, which piece each is from.
        contexts: the key of each one's whole piece, and its meter.
    """

    tokens: NDArray[np.int64]
    piece: NDArray[np.int64]
    contexts: tuple[Context, ...]


def excerpts(pieces: Pieces, steps: int) -> Excerpts:
    """All stretches of so many steps that do not overlap, from each piece's first barline on.

    An excerpt begins with what sounds: a hold at its start, which continues a note struck before, stays a hold.
    """
    rows, owners = [], []
    for number, tokens in enumerate(pieces.sequences.tokens):
        first = int(pieces.sequences.bars.pickup[number])
        for start in range(first, len(tokens) - steps + 1, steps):
            rows.append(tokens[start : start + steps])
            owners.append(number)
    stacked = np.stack(rows) if rows else np.zeros((0, steps), dtype=np.int64)
    of_piece = {owner: _context(pieces, owner) for owner in set(owners)}
    return Excerpts(stacked, np.array(owners, dtype=np.int64), tuple(of_piece[owner] for owner in owners))


def _context(pieces: Pieces, number: int) -> Context:
    melody = pieces.melodies[number]
    steps = int(pieces.sequences.bars.steps_per_bar[number])
    return Context(melody.key or Key(), melody.meter, steps, timed=pieces.timed)


_PURPOSE = {"train": "learn from", "valid": "stop training by", "test": "measure on"}


_ENOUGH = 200
"""With fewer held-out excerpts than this, those that the model learned from are taken too."""


def people_beside(bundle: Bundle, steps: int, against: str = "") -> Excerpts | None:
    """People's melodies, excerpts of so many steps, to hold a model's beside; None where none are at hand.

    Args:
        bundle: whose encoding and keys are taken.
        steps: of each excerpt.
        against: a corpus by name, file or folder; the one that the bundle says it learned, if it ships, where empty.

    Raises:
        CorpusError: the corpus that was named cannot be read, or holds no melody as long.
    """
    name = against or shipped_corpus(bundle)
    if not name:
        say("People's melodies are not at hand (--against CORPUS): diversity is held beside the untuned model's")
        return None
    normalized_key = bool(bundle.provenance.get("plain_keys"))
    found = corpus_excerpts(open_corpus(name), bundle.encoding, steps, normalized_key=normalized_key)
    if not len(found.tokens):
        if against:
            raise CorpusError(f"no melody of {name} is {steps} steps long", "give another corpus, or fewer --steps")
        say(f"No melody of {name} is {steps} steps long: diversity is held beside the untuned model's")
        return None
    return found


def corpus_excerpts(corpus: Corpus, encoding: Encoding, steps: int, *, normalized_key: bool) -> Excerpts:
    """The held-out excerpts of a corpus; all of its excerpts where those are few.

    Args:
        corpus: the melodies.
        encoding: how they are said.
        steps: of each excerpt.
        plain_keys: move each to C major or A minor first.
    """
    held_out = _excerpts(list(corpus.melodies("test")), encoding, steps, normalized_key=normalized_key)
    if len(held_out.tokens) >= _ENOUGH:
        return held_out
    return _excerpts(list(corpus), encoding, steps, normalized_key=normalized_key)


def _excerpts(melodies: list[Melody], encoding: Encoding, steps: int, *, normalized_key: bool) -> Excerpts:
    if normalized_key and isinstance(encoding, GridEncoding):
        melodies = [in_plain_key(melody, low=encoding.low, high=encoding.high) for melody in melodies]
    return excerpts(encode_pieces(encoding, melodies), steps)
