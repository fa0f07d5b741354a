"""An agent of another library learns to compose: PPO of Stable-Baselines3 in the environment `cantilena/Melody-v0`.

    python examples/agent.py --out agent.mid

It begins knowing nothing, is shown what the trained model would play, and is rewarded for what the model finds
probable and for rules of music theory. 64 melodies grow at once: `MelodyVectorEnv` asks the model and the rules about
all of them in one call, and `Melodies` below shows it to Stable-Baselines3 in the form that the library expects.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv

from cantilena import write
from cantilena.envs import MelodyVectorEnv

Choose = Callable[[dict[str, Any]], np.ndarray]
"""From what is shown to the next tokens."""


class Melodies(VecEnv):
    """A `MelodyVectorEnv` as Stable-Baselines3 wants it: what is shown at a melody's end stands in `info`."""

    def __init__(self, envs: MelodyVectorEnv) -> None:
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> Any:
        return self.envs.reset()[0]

    def step_async(self, actions: np.ndarray) -> None:
        self.actions = actions

    def step_wait(self) -> Any:
        observation, rewards, finished, _, _ = self.envs.step(self.actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if finished.all():  # they keep the same pace
            for number, info in enumerate(infos):
                info["terminal_observation"] = {name: values[number] for name, values in observation.items()}
            observation = self.reset()
        return observation, rewards.astype(np.float32), finished, infos

    def close(self) -> None:
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [getattr(self.envs, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        return [getattr(self.envs, method_name)(*args, **kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        return [False] * self.num_envs


def compose(envs: MelodyVectorEnv, choose: Choose) -> dict[str, float]:
    """Let every melody grow to its end; gives what a melody earned in the mean, whole and in its parts."""
    observation, _ = envs.reset()
    sums = {"reward": 0.0, "log p": 0.0, "rules": 0.0}
    finished = np.zeros(envs.num_envs, dtype=np.bool_)
    while not finished.all():
        observation, rewards, finished, _, info = envs.step(choose(observation))
        sums["reward"] += rewards.mean()
        sums["log p"] += info["log_p"].mean()
        sums["rules"] += sum(term.mean() for name, term in info["terms"].items() if not name.startswith("_"))
    return sums


def as_the_model(random: np.random.Generator) -> Choose:
    """Choose as the trained model itself would, by its log p that an agent is shown."""
    return lambda shown: (shown["log_p"] + random.gumbel(size=shown["log_p"].shape)).argmax(axis=1)


def main() -> None:
    """Train, say what a melody earned before and after, and write one."""
    parser = argparse.ArgumentParser(description="Train PPO of Stable-Baselines3 to compose.")
    parser.add_argument("--bundle", default="tunes", help="the trained model (default: tunes)")
    parser.add_argument("--rules", default="rl-tuner", help="the rules of music theory (default: rl-tuner)")
    parser.add_argument("--steps", type=int, default=32, help="tokens of a melody (default: 32)")
    parser.add_argument("--melodies", type=int, default=64, help="melodies that grow at once (default: 64)")
    parser.add_argument("--updates", type=int, default=64, help="how often the agent learns (default: 64)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same melody (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("agent.mid"), help=".mid, .musicxml, .svg or .wav")
    asked = parser.parse_args()

    torch.set_num_threads(1)  # the network is too small to share among cores
    envs = MelodyVectorEnv(asked.melodies, asked.bundle, asked.rules, steps=asked.steps)
    agent = PPO(
        "MultiInputPolicy",
        Melodies(envs),
        n_steps=asked.steps,
        batch_size=min(512, asked.melodies * asked.steps),
        n_epochs=4,
        learning_rate=1e-3,
        gamma=1.0,  # a note that ends the melody well is worth as much as one that begins it well
        seed=asked.seed,
        device="cpu",
    )

    def as_the_agent(shown: dict[str, Any]) -> np.ndarray:
        return agent.predict(shown)[0]

    earned = {"the trained model": compose(envs, as_the_model(np.random.default_rng(asked.seed)))}
    earned["the agent before"] = compose(envs, as_the_agent)
    agent.learn(asked.updates * asked.melodies * asked.steps)
    earned["the agent after"] = compose(envs, as_the_agent)
    for who, parts in earned.items():
        print(f"{who:18}" + "".join(f"{name:>9} {value:8.1f}" for name, value in parts.items()) + "  a melody")
    write(envs.melodies[0], asked.out)
    print(f"wrote {asked.out}")


if __name__ == "__main__":
    main()
