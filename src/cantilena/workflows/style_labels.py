"""Which style each melody of a corpus is told to be of: its composer, its collection, or a cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cantilena.data import SPLITS, Corpus, Split, Styles
from cantilena.errors import UsageError
from cantilena.music import Melody, find_key
from cantilena.runtime import say

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
