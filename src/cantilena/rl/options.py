"""What tuning can be asked for.

What only some algorithms can be asked for.

What a critic that teaches can be asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from cantilena.errors import UsageError

Exploration = Literal["epsilon", "boltzmann", "none"]


@dataclass(frozen=True)
class ValueOptions:
    """What only learners of values (`q double-q psi g`) read."""

    gamma: float = 0.5
    """Discount of later rewards."""

    target_rate: float = 0.01
    """How far the target network moves towards the learner at each gradient step."""

    replay: int = 8192
    """Whole melodies kept to learn from again."""

    priority: float = 0.0
    """How much oftener melodies with a large error are learned from again: 0 for all alike, 0.6 is usual."""

    priority_correction: float = 0.4
    """How far their smaller weight makes up for that at the start; it rises to 1, all of it, at the end."""

    exploration: Exploration = "epsilon"
    """`epsilon`: some tokens at random. `boltzmann`: all from the policy at a temperature that falls to 1. `none`."""

    epsilon: float = 1.0
    """Share of random tokens at the start."""

    epsilon_end: float = 0.1
    """Share of random tokens at the end of the exploration."""

    exploration_temperature: float = 3.0
    """Boltzmann exploration's temperature at the start."""

    exploration_share: float = 0.5
    """Share of the updates over which epsilon, or the temperature, falls in a straight line."""

    updates_per_batch: int = 1
    """Gradient steps for every batch of new melodies."""

    def __post_init__(self) -> None:
        if self.exploration not in ("epsilon", "boltzmann", "none"):
            raise UsageError(f"there is no exploration '{self.exploration}'", "choose epsilon, boltzmann or none")
        if not 0.0 <= self.gamma <= 1.0:
            raise UsageError(f"gamma {self.gamma:g}", "give a discount from 0 to 1")
        if not 0.0 < self.target_rate <= 1.0:
            raise UsageError(f"target rate {self.target_rate:g}", "give a share above 0, up to 1")
        if not (1 <= self.replay <= 10**7 and 1 <= self.updates_per_batch <= 1000):
            raise UsageError("a replay memory or a number of gradient steps out of range", "give whole numbers from 1")
        if not (0.0 <= self.priority <= 1.0 and 0.0 <= self.priority_correction <= 1.0):
            raise UsageError("a priority out of range", "give --priority and its correction from 0 to 1")
        if not 0.0 <= self.epsilon_end <= self.epsilon <= 1.0:
            raise UsageError("an exploration that rises", "give 1 >= epsilon >= epsilon-end >= 0")
        if not 1.0 <= self.exploration_temperature <= 1000.0:
            raise UsageError(f"exploration temperature {self.exploration_temperature:g}", "give 1 to 1000")
        if not 0.0 < self.exploration_share <= 1.0:
            raise UsageError(f"exploration share {self.exploration_share:g}", "give a share above 0, up to 1")


@dataclass(frozen=True)
class PolicyOptions:
    """What only learners of policies (`rloo ppo rejection`) read."""

    group: int = 0
    """How many melodies share a baseline (`rloo`); 0 takes all of an update."""

    entropy_bonus: float = 0.0
    """Reward for each nat of entropy a step (`rloo ppo`), against melodies that grow alike."""

    ratio_clip: float = 0.2
    """How far a token's probability may move within an update before its gradient stops (`ppo`)."""

    passes: int = 4
    """How often each update goes over its melodies (`ppo`)."""

    minibatches: int = 4
    """Into how many parts a pass cuts them (`ppo`)."""

    gae: float = 0.95
    """How much of the later rewards, rather than of their estimate, an advantage counts (lambda; `ppo`)."""

    keep: float = 0.25
    """Share of the melodies that are good enough to learn from (`rejection`)."""

    def __post_init__(self) -> None:
        if self.group == 1 or self.group < 0:
            raise UsageError(f"groups of {self.group}", "give 2 melodies or more, or 0 for all")
        if not 0.0 <= self.entropy_bonus <= 100.0:
            raise UsageError(f"entropy bonus {self.entropy_bonus:g}", "give 0 or a little more, such as 0.05")
        if not 0.0 < self.ratio_clip < 1.0:
            raise UsageError(f"ratio clip {self.ratio_clip:g}", "give a share above 0, below 1; 0.2 is usual")
        if not (1 <= self.passes <= 100 and 1 <= self.minibatches <= 1024):
            raise UsageError("passes or minibatches out of range", "give 1 to 100 passes and 1 to 1024 minibatches")
        if not 0.0 <= self.gae <= 1.0:
            raise UsageError(f"gae {self.gae:g}", "give a share from 0 to 1")
        if not 0.0 < self.keep < 1.0:
            raise UsageError(f"keep {self.keep:g}", "give a share above 0, below 1")


@dataclass(frozen=True)
class WatchOptions:
    """How tuning is watched, so that it does not end in one melody for ever."""

    look: int = 20
    """Updates between two looks at fresh melodies; 0 never looks."""

    watched: int = 500
    """Melodies drawn for a look."""

    stop: bool = True
    """End the tuning where two looks in a row find the melodies outside the gate; without it, only say so."""

    def __post_init__(self) -> None:
        if not 0 <= self.look <= 10**7:
            raise UsageError(f"a look every {self.look} updates", "give 0 or more")
        if not 16 <= self.watched <= 100_000:
            raise UsageError(f"{self.watched} melodies watched", "give 16 to 100000")


NO_RULES = "none"
"""What `--rules` is called where the critic alone rewards."""

LEARN_FROM_CRITICS = ("rloo", "ppo", "rejection")
"""The algorithms that learn from the newest melodies alone, so that a reward may change under them."""


@dataclass(frozen=True)
class CriticOptions:
    """How discriminators reward what they take for people's (`rloo ppo rejection`)."""

    critic: bool = False
    """Reward melodies that sound like people's to discriminators, which learn while the model does."""

    critic_weight: float = 5.0
    """What a nat of their log odds is worth beside a nat of log p: with w and no rules the model ends w / (1 + w) of
    the way from what it learned to what people write."""

    critic_every: int = 2
    """The discriminators learn again after so many updates."""

    critic_lessons: int = 8
    """Steps of the optimizer that each takes then."""

    critic_start: int = 300
    """Steps of the optimizer that each takes before the first update."""

    critic_members: int = 2
    """How many discriminators; the mean of their log odds counts."""

    critic_clip: float = 10.0
    """No melody gains or loses more nats than this."""

    critic_replay: int = 2048
    """Older melodies that are kept, so that the discriminators do not forget what the model has left off."""

    def __post_init__(self) -> None:
        if not 0.0 < self.critic_weight <= 1000.0:
            raise UsageError(f"critic weight {self.critic_weight:g}", "give a number above 0, up to 1000; 5 is a start")
        if not 1 <= self.critic_every <= 10**7:
            raise UsageError(f"a critic that learns every {self.critic_every} updates", "give 1 or more")
        for name, value in (("lessons", self.critic_lessons), ("lessons at the start", self.critic_start)):
            if not 1 <= value <= 100_000:
                raise UsageError(f"{value} {name} of the critic", "give 1 to 100000")
        if not 1 <= self.critic_members <= 32:
            raise UsageError(f"{self.critic_members} discriminators", "give 1 to 32; 2 or 3 are usual")
        if not 0.0 < self.critic_clip <= 1000.0:
            raise UsageError(f"critic clip {self.critic_clip:g}", "give nats above 0, up to 1000")
        if not 64 <= self.critic_replay <= 65536:
            raise UsageError(f"a critic that remembers {self.critic_replay} melodies", "give 64 to 65536")


Algorithm = Literal["rloo", "ppo", "q", "double-q", "psi", "g", "rejection"]

DEFAULT_C = {"rloo": 3.0, "ppo": 3.0, "q": 0.5, "double-q": 0.5, "psi": 0.5, "g": 0.5, "rejection": 3.0}
"""The weight of the music theory reward is 1 / c; what each algorithm takes where none is given."""

_LARGE = 1e9
"""No number is larger: records are JSON, which knows no infinity."""


@dataclass(frozen=True)
class TuningOptions:
    """How a trained model is tuned on rules of music theory."""

    algorithm: Algorithm = "rloo"
    """`rloo`: policy gradient on whole melodies. `ppo`: the same with clipped steps and learned values. `q`: the
    paper's deep Q-learning; `double-q`, `psi`, `g` are its kin. `rejection`: learn again from the best of one's own."""

    rules: str = "rl-tuner"
    """A rule set (`cantilena`, `rl-tuner`, `paper`), a TOML file, a rule of your own `FILE.py:NAME`, or several joined
    by +; `none` where the critic alone rewards."""

    weights: tuple[str, ...] = ()
    """Weights on single rules, such as `tonic=5 leap=1.5`; 1 is the published value."""

    key: str = ""
    """The key that the rules ask for, such as "D minor"; C major where none is given."""

    meter: str = "4/4"
    """The time signature that the melodies are in."""

    c: float | None = None
    """The reward is log p + r / c: the larger, the closer to the trained model. 3 for `rloo` and `ppo`, 0.5 for the
    learners of values; a fifth of that for the set `cantilena`, whose rewards are smaller."""

    target_kl: float | None = None
    """Nats a step from the trained model that shall not be passed: c rises while they are, and falls back after."""

    clip: float = 10.0
    """No rule takes more than this from a step while learning (the metrics count the whole)."""

    updates: int = 200
    """Gradient updates, each on fresh melodies."""

    melodies: int = 512
    """Melodies sampled for an update."""

    steps: int = 32
    """Steps of each melody, 8 to 512."""

    learning_rate: float | None = None
    """Adam's step size, which falls to a tenth in a half cosine: 0.003 for `rloo`, 0.001 for the others and with
    a critic, which must keep up."""

    max_norm: float = 5.0
    """Gradients longer than this are shortened to it."""

    reference_mode: bool = False
    """Learn as the published RL Tuner does: one transition at a time, with its settings (`q`, `psi`, `g`)."""

    seed: int = 1
    """The same seed gives the same model."""

    device: str = "auto"
    """`cpu`, `cuda`, `mps`, or `auto`."""

    value: ValueOptions = field(default_factory=ValueOptions)
    """What only learners of values read."""

    policy: PolicyOptions = field(default_factory=PolicyOptions)
    """What only learners of policies read."""

    watch: WatchOptions = field(default_factory=WatchOptions)
    """How tuning is watched."""

    critic: CriticOptions = field(default_factory=CriticOptions)
    """How discriminators reward."""

    def __post_init__(self) -> None:
        if self.algorithm not in DEFAULT_C:
            raise UsageError(f"there is no algorithm '{self.algorithm}'", f"choose one of {', '.join(DEFAULT_C)}")
        if self.reference_mode and self.algorithm not in ("q", "psi", "g"):
            raise UsageError(f"the reference has no {self.algorithm}", "choose --algorithm q, psi or g")
        if self.c is not None and not 1e-6 <= self.c <= 1e6:
            raise UsageError(f"c {self.c:g}", "give 0.000001 to 1000000; 3 is a good start for rloo, 0.5 for q")
        if self.target_kl is not None and not 0.0 < self.target_kl <= 100.0:
            raise UsageError(f"a target KL of {self.target_kl:g}", "give nats a step above 0, such as 0.5")
        if not 0.0 < self.clip <= _LARGE:
            raise UsageError(f"clip {self.clip:g}", "give a number above 0; 1e9 clips nothing")
        if not (1 <= self.updates <= 10**7 and 2 <= self.melodies <= 65536):
            raise UsageError("a number out of range", "give 1 update or more, and 2 to 65536 melodies")
        if not 8 <= self.steps <= 512:
            raise UsageError(f"melodies of {self.steps} steps", "give 8 to 512")
        if self.learning_rate is not None and not 0.0 < self.learning_rate < 1.0:
            raise UsageError(f"learning rate {self.learning_rate:g}", "give a number above 0, below 1")
        if not 0.0 < self.max_norm <= _LARGE:
            raise UsageError(f"max-norm {self.max_norm:g}", "give a number above 0; 1e9 shortens nothing")
        if not 0 <= self.seed < 2**63:
            raise UsageError(f"seed {self.seed} is out of range", "seeds run from 0 to 2^63 - 1")
        if self.critic.critic and (self.algorithm not in LEARN_FROM_CRITICS or self.reference_mode):
            raise UsageError(
                f"{self.algorithm} cannot learn from a critic that learns too",
                f"choose --algorithm {', '.join(LEARN_FROM_CRITICS[:-1])} or {LEARN_FROM_CRITICS[-1]}",
            )
        if self.rules.strip() == NO_RULES and not self.critic.critic:
            raise UsageError("neither rules nor a critic: nothing to learn from", "name --rules, or add --critic")
        if self.policy.group > self.melodies or (self.policy.group and self.melodies % self.policy.group):
            raise UsageError(
                f"groups of {self.policy.group} out of {self.melodies} melodies", "give groups that divide the melodies"
            )
        for weight in self.weights:
            name, _, value = weight.partition("=")
            if not name or not _is_weight(value):
                raise UsageError(f"weight '{weight}'", "write RULE=NUMBER, such as tonic=5")

    def c_for(self, scale: float = 1.0) -> float:
        """C as given, or the algorithm's own times the scale of a rule set's rewards."""
        return DEFAULT_C[self.algorithm] * scale if self.c is None else self.c

    @property
    def step_size(self) -> float:
        """The learning rate as given, or the algorithm's own."""
        own = 3e-3 if self.algorithm == "rloo" and not self.critic.critic else 1e-3
        return own if self.learning_rate is None else self.learning_rate

    @property
    def rule_weights(self) -> dict[str, float]:
        """The weights by rule."""
        return {name: float(value) for name, _, value in (weight.partition("=") for weight in self.weights)}


def _is_weight(text: str) -> bool:
    try:
        return abs(float(text)) <= _LARGE  # neither infinite nor NaN, and sums of rewards stay finite
    except ValueError:
        return False
