"""Rules as hard constraints: of the tokens that could come next, only those that break the fewest rules are drawn.

Each candidate is judged at its own step, after all tokens before it (a primer included), in a line of the final length,
so that rules about the end know how many steps are left. Holds follow the candidate; the value of a rule at a step may
not depend on them.

Of notes the pitch is judged, at the sixteenth nearest to its onset, where the duration of the note is known; no
duration breaks a rule. With the notes of a chord below its top note the step is judged again, and what the top note
alone breaks is not counted twice.

With v(x) the weighted value of a rule for candidate x at this step, x breaks the rule if

    v(x) < 0                                                       the rule forbids it, or
    v(x) = 0, v(y) > 0 for some y, v >= 0 for all, and the rule only rewards        the rule asks for another.

The second line is for rules without penalties, such as RL Tuner's tonic, which would otherwise not constrain anything.
A rule only rewards if none of its parameters, times its weight, is negative. Rules that reward and penalise, such as RL
Tuner's leaps and intervals, only forbid what they penalise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cantilena.errors import UsageError
from cantilena.music import HOLD, ON, Line
from cantilena.rules import Context, Rule, RuleSet, load_rules
from cantilena.tokenizers import Encoding, NotesEncoding

OUTSIDE = 2**31
"""What `Constraints.broken` counts for a token that is not allowed at all."""

MAX_STEPS = 4096
"""Longest melody that may be constrained: each step is judged in a line of the whole length."""

_MAX_CELLS = 200_000
"""Steps that are judged at once: fits a processor's cache, and bounds the memory."""


@dataclass(frozen=True)
class Constraints:
    """Rules that a melody keeps while it is drawn, at each step at which some token keeps them.

    Args:
        rules: with their weights; rules of weight 0 are ignored.
        encoding: of the tokens.
        context: the key and bars of the tokens.
        steps: length of the final melody, the primer included, in steps of the line; at most `MAX_STEPS`. 0 if that of
            a melody of notes is not known: each note is then judged two bars before the end.

    Raises:
        UsageError: the melody is too long.

    Examples:
        >>> from cantilena.tokenizers import GridEncoding
        >>> from cantilena.rules import RULE_SETS
        >>> grid = GridEncoding()
        >>> constraints = Constraints((RULE_SETS["rl-tuner"]["tonic"],), grid, Context(), steps=32)
        >>> [grid.vocabulary[token] for token in np.flatnonzero(constraints.allowed(np.zeros((1, 0), dtype=int))[0])]
        ['C4']
    """

    rules: tuple[Rule, ...]
    encoding: Encoding
    context: Context
    steps: int

    def __post_init__(self) -> None:
        if self.steps > MAX_STEPS:
            raise UsageError(
                f"rules cannot constrain a melody of {self.steps} steps",
                f"compose {MAX_STEPS} steps at most, the primer included, or leave --constrain out",
            )
        object.__setattr__(self, "rules", tuple(rule for rule in self.rules if rule.weight != 0.0))

    @classmethod
    def from_rules(cls, rules: str | RuleSet, encoding: Encoding, context: Context, steps: int) -> Constraints | None:
        """Constraints from a rule set or its name; None for an empty name."""
        if isinstance(rules, str):
            if not rules.strip():
                return None
            rules = load_rules(rules)
        return cls(rules.rules, encoding, context, steps)

    def broken(self, before: NDArray[np.int64], among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Number of rules that each token would break if it came next.

        Args:
            before: `(melodies, steps so far)` tokens.
            among: `(vocabulary,)` or `(melodies, vocabulary)`: which tokens are allowed at all; a rule cannot ask for
                another.

        Returns:
            `(melodies, vocabulary)`, `OUTSIDE` for tokens that are not allowed.

        Raises:
            UsageError: the melodies already have their final length.
        """
        melodies, size = len(before), len(self.encoding.vocabulary)
        allowed = np.ones(size, dtype=np.bool_) if among is None else among
        if isinstance(self.encoding, NotesEncoding):
            return self._broken_by_notes(self.encoding, before, np.broadcast_to(allowed, (melodies, size)))
        step = before.shape[1]
        if step >= self.steps:
            raise UsageError(
                f"step {step} is beyond the {self.steps} of the constraints", "give them the length of the whole melody"
            )
        tokens = np.flatnonzero(allowed)
        broken = np.full((melodies, size), OUTSIDE, dtype=np.int64)
        at_once = max(_MAX_CELLS // max(len(tokens) * self.steps, 1), 1)
        for first in range(0, melodies, at_once):
            rows = before[first : first + at_once]
            line = self._candidates(rows, tokens)
            broken[first : first + at_once, tokens] = self._count(line, np.full(len(rows), step), len(tokens))
        return broken

    def allowed(self, before: NDArray[np.int64], among: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """`(melodies, vocabulary)`: the tokens that break the fewest rules; arguments as of `broken`."""
        return fewest(self.broken(before, among))

    def _count(
        self, line: Line, steps: NDArray[np.int64], candidates: int, allowed: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """`(melodies, candidates)`: how many rules each candidate breaks.

        Args:
            line: `melodies x candidates` rows.
            steps: `(melodies,)`, at which they are judged.
            candidates: for each melody.
            allowed: `(melodies, candidates)`, which of them a rule may ask for; all by default.
        """
        shape = (len(steps), candidates)
        broken, rows = np.zeros(shape, dtype=np.int64), np.arange(len(steps) * candidates)
        for rule in self.rules:
            values = rule.weight * rule.rewards(line, self.context)[rows, np.repeat(steps, candidates)].reshape(shape)
            forbidden, wanted = np.asarray(values < 0), np.asarray(values > 0)
            broken += forbidden
            if only_rewards(rule):
                if allowed is not None:
                    forbidden, wanted = forbidden & allowed, wanted & allowed
                asks = wanted.any(axis=1, keepdims=True) & ~forbidden.any(axis=1, keepdims=True)
                broken += asks & ~wanted
        return broken

    def _broken_by_notes(
        self, encoding: NotesEncoding, before: NDArray[np.int64], allowed: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """As `broken`, of notes: only the pitch, and the rest of a chord, is judged."""
        broken = np.where(allowed, 0, OUTSIDE)
        part = before.shape[1] % len(encoding.parts)
        tokens = np.arange(*encoding.parts[part])
        live = np.flatnonzero(allowed[:, tokens].any(axis=1))  # the others have ended
        if part == 0 or not len(live):
            return broken
        tokens = tokens[allowed[live][:, tokens].any(axis=0)]
        if part == 2:  # a single note first: what else it would break was counted with its pitch
            tokens = np.union1d(tokens, encoding.parts[2][0])
        ticks = encoding.ticks(before)[live, -1]
        steps = (ticks + encoding.ticks_per_step // 2) // encoding.ticks_per_step
        ends = np.full(len(live), self.steps) if self.steps else steps + 1 + 2 * self.context.steps_per_bar
        if self.steps and ticks.max() >= self.steps * encoding.ticks_per_step:
            raise UsageError(
                f"a note at step {steps.max()} is beyond the {self.steps} of the constraints",
                "give them the length of the whole melody",
            )
        steps = np.minimum(steps, ends - 1)
        at_once = max(_MAX_CELLS // (len(tokens) * int(ends.max())), 1)
        for first in range(0, len(live), at_once):
            some = slice(first, first + at_once)
            rows = live[some]
            line = self._note_candidates(encoding, before[rows], tokens, steps[some], ends[some])
            may_come = allowed[np.ix_(rows, tokens)]
            counts = self._count(line, steps[some], len(tokens), may_come)
            if part == 2:
                counts = np.maximum(counts - counts[:, :1], 0)
            broken[np.ix_(rows, tokens)] = np.where(may_come, counts, OUTSIDE)
        return broken

    def _note_candidates(
        self,
        encoding: NotesEncoding,
        before: NDArray[np.int64],
        tokens: NDArray[np.int64],
        steps: NDArray[np.int64],
        ends: NDArray[np.int64],
    ) -> Line:
        """As `_candidates`, of notes whose duration, and perhaps pitch, are the last of `before`.

        Args:
            encoding: of the tokens.
            before: `(melodies, tokens)`.
            tokens: the candidates.
            steps: `(melodies,)`, at which the candidates begin.
            ends: `(melodies,)` steps of each melody.
        """
        period, width = len(encoding.parts), int(ends.max())
        part = before.shape[1] % period
        # Rests fill the rows up to the width: where the candidate begins they end the note before, if one sounds.
        silence = [encoding.parts[0][1] - 1, encoding.rest, *(chord for chord, _ in encoding.parts[2:])]
        filling = np.tile(silence, -(-width * encoding.ticks_per_step // encoding.durations[-1]))
        whole = before[:, : before.shape[1] - part]
        known = encoding.line(np.concatenate([whole, np.tile(filling, (len(before), 1))], axis=1))
        after = np.arange(width)[None, :] > steps[:, None]
        event = np.where(after, HOLD, known.event[:, :width])
        pitch = np.where(after, -1, known.pitch[:, :width])
        classes = np.where(after, 0, known.pitch_classes[:, :width])
        event, pitch, classes = (np.repeat(values, len(tokens), axis=0) for values in (event, pitch, classes))
        rows, places = np.arange(len(event)), np.repeat(steps, len(tokens))
        # The candidates alone, each as a melody of one note.
        last = before[:, before.shape[1] - part :]
        notes = np.empty((len(event), period), dtype=np.int64)
        notes[:, :part] = np.repeat(last, len(tokens), axis=0)
        notes[:, 0] = encoding.parts[0][0]  # the shortest
        notes[:, part] = np.tile(tokens, len(before))
        notes[:, part + 1 :] = [chord for chord, _ in encoding.parts[part + 1 :]]
        single = encoding.line(notes)
        sounds = single.event[:, 0] == ON
        rows, places = rows[sounds], places[sounds]
        event[rows, places], pitch[rows, places] = ON, single.pitch[sounds, 0]
        classes[rows, places] = single.pitch_classes[sounds, 0]
        return Line.from_events(event, pitch, classes, np.repeat(ends, len(tokens)))

    def _candidates(self, before: NDArray[np.int64], tokens: NDArray[np.int64]) -> Line:
        """A line of `melodies x tokens` rows: each melody so far, each token after it, and holds to the end."""
        step = before.shape[1]
        shape = (len(before), len(tokens), self.steps)

        def filled(of_token: NDArray[np.integer], afterwards: int) -> NDArray[np.integer]:
            values = np.full(shape, afterwards, dtype=of_token.dtype)
            values[:, :, :step] = of_token[before][:, None, :]
            values[:, :, step] = of_token[tokens]
            return values.reshape(-1, self.steps)

        single = self._single_tokens
        return Line.from_events(
            filled(single.event[0], HOLD), filled(single.pitch[0], -1), filled(single.pitch_classes[0], 0)
        )

    @cached_property
    def _single_tokens(self) -> Line:
        """All tokens as one row."""
        return self.encoding.line(np.arange(len(self.encoding.vocabulary))[None, :])


def fewest(broken: NDArray[np.int64]) -> NDArray[np.bool_]:
    """`(melodies, vocabulary)`: which tokens break the fewest rules, from the counts of `Constraints.broken`."""
    least: NDArray[np.bool_] = (broken == broken.min(axis=1, keepdims=True)) & (broken < OUTSIDE)
    return least


def only_rewards(rule: Rule) -> bool:
    """Whether a rule has no penalty, so that as a constraint it asks for what it rewards.

    Examples:
        >>> from cantilena.rules import RULE_SETS
        >>> rules = RULE_SETS["rl-tuner"]
        >>> [rule.name for rule in rules.rules if only_rewards(rule)]
        ['tonic', 'motif', 'repeated_motif', 'extremes']
    """
    return all(rule.weight * value >= 0 for value in rule.parameters.values())
