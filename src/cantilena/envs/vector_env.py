"""The vectorised environment: one call of the model and one of the rules for all melodies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from cantilena.envs.episodes import DEFAULT_BUNDLE, MelodyEpisodes
from cantilena.envs.melody_env import (
    METADATA,
    Observation,
    Picture,
    action_masks,
    check_mode,
    observation_space,
    render,
)
from cantilena.models import Bundle
from cantilena.music import Melody
from cantilena.rules import RuleSet
from cantilena.tokenizers import Encoding


class MelodyVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """Compose many melodies at once: `MelodyEnv`, vectorised.

    ## Description
    `num_envs` melodies grow in step, so that all of them end together. Each is rewarded as in `MelodyEnv`. Melodies of
    notes are equally long, but of different numbers of tokens: the token `end`, without reward, fills up those that are
    full before others, whatever their actions.

    ## Action Space
    `MultiDiscrete([vocabulary] * num_envs)`: the next token of each melody.

    ## Observation Space
    The `Dict` of `MelodyEnv`, each entry with one row a melody.

    ## Rewards
    Those of `MelodyEnv`, `(num_envs,)` float64. `info` has arrays of the same parts, and for each a mask under its name
    with a leading `_`, which is true for all melodies.

    ## Starting State
    Empty melodies.

    ## Episode End
    Terminates after `steps` tokens, of notes when all melodies are full. The next step resets the melodies, whatever
    its actions, with rewards of 0 and the `info` of `reset` (`AutoresetMode.NEXT_STEP`).

    ## Arguments
    - `num_envs`: number of melodies.
    - The others are those of `MelodyEnv`.

    ## Version History
    - v0: initial version.

    Raises:
        UsageError: an argument is invalid.
        BundleError: the bundle is missing or cannot be read.

    Examples:
        >>> envs = MelodyVectorEnv(num_envs=3, bundle="tunes+rl-tuner", rules="paper", steps=16)
        >>> observations, _ = envs.reset()
        >>> observations, rewards, *_, infos = envs.step(np.array([14, 14, 15]))
        >>> infos["terms"]["tonic"].tolist()
        [3.0, 3.0, 0.0]
    """

    metadata: dict[str, Any] = {**METADATA, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        bundle: Bundle | str | Path = DEFAULT_BUNDLE,
        rules: RuleSet | str = "rl-tuner",
        *,
        steps: int = 32,
        c: float = 0.5,
        clip: float = 10.0,
        memory: int = 32,
        key: str = "",
        meter: str = "4/4",
        render_mode: str | None = None,
    ) -> None:
        self.episodes = MelodyEpisodes.from_names(
            bundle, rules, melodies=num_envs, steps=steps, memory=memory, c=c, clip=clip, key=key, meter=meter
        )
        self.num_envs = num_envs
        self.single_action_space = spaces.Discrete(self.episodes.vocabulary_size)
        self.single_observation_space = observation_space(self.episodes)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.render_mode = check_mode(render_mode)

    @property
    def encoding(self) -> Encoding:
        """The encoding, which defines the tokens."""
        return self.episodes.encoding

    @property
    def melodies(self) -> list[Melody]:
        """The melodies so far."""
        return self.episodes.decode()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start empty melodies; return the first observations and `info`, empty but of notes. There are no options."""
        super().reset(seed=seed)
        self.episodes.reset()
        return self.episodes.observation(), self._with_masks(dict(action_masks(self.episodes)))

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Append a token to each melody, or start new ones if they are finished.

        Raises:
            UsageError: there is no such token.
        """
        episodes, never = self.episodes, np.zeros(self.num_envs, dtype=np.bool_)
        if episodes.finished:
            observation, info = self.reset()
            return observation, np.zeros(self.num_envs), never, never.copy(), info
        rewards = episodes.append(np.asarray(actions))
        info = {"log_p": rewards.log_p, "terms": self._with_masks(rewards.terms), **action_masks(episodes)}
        finished = np.full(self.num_envs, episodes.finished)
        if finished.all():
            info["melody"] = episodes.tokens
        return episodes.observation(), rewards.reward, finished, never, self._with_masks(info)

    def render(self) -> tuple[str | Picture, ...] | None:
        """Each melody so far in the render mode; None without one."""
        return render(self.episodes, self.render_mode) if self.render_mode else None

    def _with_masks(self, info: dict[str, Any]) -> dict[str, Any]:
        """The entries, and for each a mask of the melodies that it is about: all."""
        return info | {f"_{name}": np.ones(self.num_envs, dtype=np.bool_) for name in info}
