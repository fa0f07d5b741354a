"""The sections of a piece as written, and the order in which they are played."""

from __future__ import annotations

from dataclasses import dataclass

from cantilena.errors import UsageError

MOST_PLAYED = 10_000
"""The most sections that are played one after the other."""


@dataclass(frozen=True, slots=True)
class Section:
    """A passage between structural marks of a score, played as a whole.

    Args:
        start: tick where it begins, in the written form.
        end: tick where it ends.
        endings: numbers of the alternative ending (volta) that it is; none elsewhere.
    """

    start: int
    end: int
    endings: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeats:
    """The written sections of a piece and the order in which they are played.

    Args:
        sections: consecutive, ascending; none if nothing is known.
        order: index of the section that is played, one a turn; `|: A |1 B :|2 C |` is (0, 1, 0, 2).

    Raises:
        UsageError: the sections are out of order, or the order names a section that is missing.

    Examples:
        >>> half = Repeats((Section(0, 96), Section(96, 192)), (0, 0, 1, 1)).between(48, 144)
        >>> [(section.start, section.end) for section in half.sections], half.order
        ([(0, 48), (48, 96)], (0, 0, 1, 1))
    """

    sections: tuple[Section, ...] = ()
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        reached = 0
        for section in self.sections:
            if not reached <= section.start <= section.end:
                raise UsageError(
                    f"a section from tick {section.start} to {section.end} after tick {reached}",
                    "give sections in order, each with its end after its start",
                )
            reached = section.end
        if any(not 0 <= turn < len(self.sections) for turn in self.order) or len(self.order) > MOST_PLAYED:
            raise UsageError(
                f"{len(self.sections)} sections cannot be played in the order {self.order[:20]}",
                f"give up to {MOST_PLAYED:,} indices of sections, from 0",
            )

    def between(self, start: int, end: int) -> Repeats:
        """The part of the sections in [start, end), moved by -start, in the same order."""
        kept = [
            (number, Section(max(one.start, start) - start, min(one.end, end) - start, one.endings))
            for number, one in enumerate(self.sections)
            if one.start < end and one.end > start
        ]
        index = {number: place for place, (number, _) in enumerate(kept)}
        order = tuple(index[turn] for turn in self.order if turn in index)
        return Repeats(tuple(section for _, section in kept), order)

    def then(self, other: Repeats, at: int) -> Repeats:
        """These sections followed by others, which are moved to begin at a tick."""
        moved = tuple(Section(one.start + at, one.end + at, one.endings) for one in other.sections)
        return Repeats(self.sections + moved, self.order + tuple(len(self.sections) + turn for turn in other.order))
