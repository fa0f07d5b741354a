"""The rules' reward of notes that are tried, each in the key and meter of its melody.

A rule looks back from a step and knows the length of the melody, but nothing of what follows (`rules/checks.py`). So
what a melody earns up to a note is the sum over the steps up to the end of the note, in a line that is silent after it.
It is the same as in the finished melody, and a rule about endings judges the last note alone. Notes that are tried in
one place share what was earned before, which cancels in a softmax over them; what follows from a note counts for later
ones only.

A pickup is preceded by silence, so that bars begin where rules expect them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from cantilena.models import Bars
from cantilena.music import ChordTrack, Melody
from cantilena.rl.note_candidates import Rollout
from cantilena.rl.reward import MusicReward, padded_together
from cantilena.rules import Context
from cantilena.tokenizers import NotesEncoding

Ints = NDArray[np.int64]

_AT_ONCE = 512
"""Lines that are judged at once."""


def tried_rewards(
    reward: MusicReward, rollout: Rollout, contexts: Sequence[Context], chords: Sequence[ChordTrack] = ()
) -> NDArray[np.float64]:
    """`(melodies, notes, tried)`: r_MT / c of each melody up to each note that was tried.

    It is 0 where nothing but one note was tried, and there is nothing to choose.

    Args:
        reward: the rules, c and the clip.
        rollout: of single notes.
        contexts: key and meter of each melody.
        chords: over which each is; none for no chords.
    """
    encoding = _encoding(reward)
    notes = rollout.first * len(encoding.vocabulary) + rollout.second
    same = (notes[..., None] == notes[..., None, :]).argmax(axis=-1)  # the first that is the same note
    judged = (same == np.arange(notes.shape[2])) & (same > 0).any(axis=2, keepdims=True)
    judged &= rollout.is_played[..., None]
    ends = encoding.ticks(rollout.tokens)[:, ::2, None] + np.array([0, *encoding.durations])[rollout.first]
    silence, rest, values = _silence_before(rollout.bars), partial(_rest, encoding), np.zeros(notes.shape)
    for context, melodies in _by_context(contexts):
        places = np.argwhere(judged[melodies])
        places[:, 0] = melodies[places[:, 0]]
        for start in range(0, len(places), _AT_ONCE):
            some = tuple(places[start : start + _AT_ONCE].T)
            melody, note, _ = some
            left = rollout.bars.length[melody] - ends[some]
            tried = np.column_stack([rollout.first[some], rollout.second[some]])
            tokens = [
                np.concatenate([rest(silence[row]), rollout.tokens[row, : 2 * number], own, rest(after)])
                for row, number, own, after in zip(melody, note, tried, left, strict=True)
            ]
            of_context = replace(reward, context=context)
            over = [chords[row].moved(int(silence[row])) for row in melody] if chords else ()
            steps = of_context.scaled(of_context.terms(padded_together([one[None] for one in tokens]), over))
            counted = (silence[melody] + ends[some] + encoding.ticks_per_step // 2) // encoding.ticks_per_step
            counted = np.where(left > 0, counted, steps.shape[1])[:, None]
            values[some] = (steps * (np.arange(steps.shape[1]) < counted)).sum(axis=1)
    return np.take_along_axis(values, same, axis=2)


def melody_rewards(
    reward: MusicReward, tokens: Ints, bars: Bars, contexts: Sequence[Context], chords: Sequence[ChordTrack] = ()
) -> dict[str, NDArray[np.float64]]:
    """`(melodies,)` rewards of whole melodies by rule, neither clipped nor divided by c.

    Args:
        reward: the rules.
        tokens: `(melodies, tokens)` of single notes.
        bars: of the melodies.
        contexts: key and meter of each.
        chords: over which each is; none for no chords.

    Examples:
        >>> from cantilena.music import Meter
        >>> from cantilena.rules import RULE_SETS
        >>> notes = NotesEncoding()
        >>> reward = MusicReward(notes, RULE_SETS["paper"].only("key"), Context(), c=1.0, clip=10.0)
        >>> tokens = notes.encode(Melody.from_pitches([(60, 24), (66, 72)]))[None]
        >>> bars = Bars.from_meter(Meter(), melodies=1, ticks_per_step=1, length=96)
        >>> melody_rewards(reward, tokens, bars, [Context()])
        {'key': array([-1.])}
    """
    encoding = _encoding(reward)
    silence = _silence_before(bars)
    rewards = {name: np.zeros(len(tokens)) for name in reward.rules.names}
    for context, melodies in _by_context(contexts):
        rows = [np.append(_rest(encoding, silence[row]), tokens[row])[None] for row in melodies]
        over = [chords[row].moved(int(silence[row])) for row in melodies] if chords else ()
        for name, steps in replace(reward, context=context).terms(padded_together(rows), over).items():
            rewards[name][melodies] = steps.sum(axis=1)
    return rewards


def _encoding(reward: MusicReward) -> NotesEncoding:
    assert isinstance(reward.encoding, NotesEncoding)
    return reward.encoding


def _silence_before(bars: Bars) -> Ints:
    """`(melodies,)`: ticks from the barline before a pickup to the pickup."""
    return -bars.pickup % bars.steps_per_bar


@lru_cache(maxsize=4096)
def _rest(encoding: NotesEncoding, ticks: int) -> Ints:
    """The tokens of a rest."""
    return encoding.encode(Melody((), length=int(ticks)))


def _by_context(contexts: Sequence[Context]) -> Iterator[tuple[Context, Ints]]:
    """Each context, and the numbers of its melodies."""
    for context in dict.fromkeys(contexts):
        yield context, np.flatnonzero([one == context for one in contexts])
