"""Options of tuning."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, TypeVar

from cantilena.errors import UsageError
from cantilena.music import Key

Algorithm = Literal["rloo", "ppo", "q", "double-q", "psi", "g", "rejection", "mpo"]
Exploration = Literal["epsilon", "boltzmann", "none"]

DEFAULT_C = {"rloo": 3.0, "ppo": 3.0, "q": 0.5, "double-q": 0.5, "psi": 0.5, "g": 0.5, "rejection": 3.0, "mpo": 3.0}
"""The default of c for each algorithm; the weight of the rules' reward is 1 / c."""

NO_RULES = "none"
"""The value of `rules` if only the critic rewards."""

DEFAULTS: dict[str, Any] = {
    "rules": "rl-tuner",
    "updates": 200,
    "melodies": 512,
    "critic": False,
    "critic_weight": 5.0,
    "critic_every": 2,
    "critic_lessons": 8,
    "critic_start": 300,
}
"""The defaults of options of which some algorithms have others."""

MPO_DEFAULTS: dict[str, Any] = {
    "rules": NO_RULES,
    "updates": 48,
    "melodies": 48,
    "critic": True,
    "critic_weight": 1.43,
    "critic_every": 1,
    "critic_lessons": 6,
    "critic_start": 380,
}
"""Those of `mpo`, with which the results in docs/tuning.md were measured."""

MPO_LEARNING_RATE = 4e-4

NOTES_LEARNING_RATE = 1e-3
"""The default for models of notes: at 0.003 `rloo` with the rules `rl-tuner` made one of them, 256 wide, compose a
single melody within 20 updates."""

ON_POLICY = ("rloo", "ppo", "rejection", "mpo")
"""The algorithms that learn from new melodies alone, and so allow a reward that changes."""

KEYS_IN_TURN = ("rloo", "ppo", "rejection")
"""The algorithms whose updates can take turns in several keys; `mpo` learns in those of people's melodies."""

T = TypeVar("T")
if TYPE_CHECKING:
    ByAlgorithm = Annotated[T, "set by TuningOptions"]
else:
    ByAlgorithm = Optional[T]  # noqa: UP045  (`T | None` takes no arguments)

_BY_ALGORITHM: Any = None
"""What `TuningOptions` replaces by the default of its algorithm."""

_LARGE = 1e9
"""Upper bound of numbers, since records are JSON, which has no infinity."""


def _require(valid: bool, name: str, value: object, allowed: str) -> None:
    if not valid:
        raise UsageError(f"{name} is out of range: {value}", f"give {allowed}")


@dataclass(frozen=True)
class ValueOptions:
    """Options of value-based algorithms (`q double-q psi g`)."""

    gamma: float = 0.5
    """Discount factor of later rewards."""

    target_rate: float = 0.01
    """Rate at which the target network follows the learner at each gradient step."""

    replay: int = 8192
    """Melodies in the replay buffer."""

    priority: float = 0.0
    """Exponent of prioritised replay: 0 samples uniformly, 0.6 is usual."""

    priority_correction: float = 0.4
    """Exponent of the importance weights at the start; it rises to 1 at the end."""

    exploration: Exploration = "epsilon"
    """`epsilon`: some tokens are uniformly random. `boltzmann`: all are sampled at a temperature that falls to 1.
    `none`."""

    epsilon: float = 1.0
    """Share of random tokens at the start."""

    epsilon_end: float = 0.1
    """Share of random tokens at the end of the exploration."""

    exploration_temperature: float = 3.0
    """Temperature of Boltzmann exploration at the start."""

    exploration_share: float = 0.5
    """Share of the updates during which epsilon, or the temperature, falls linearly."""

    updates_per_batch: int = 1
    """Gradient steps for each batch of new melodies."""

    def __post_init__(self) -> None:
        if self.exploration not in ("epsilon", "boltzmann", "none"):
            raise UsageError(f"unknown exploration '{self.exploration}'", "choose epsilon, boltzmann or none")
        _require(0.0 <= self.gamma <= 1.0, "gamma", self.gamma, "a discount from 0 to 1")
        _require(0.0 < self.target_rate <= 1.0, "target rate", self.target_rate, "a rate above 0, up to 1")
        _require(1 <= self.replay <= 10**7, "replay", self.replay, "1 to 10000000 melodies")
        _require(1 <= self.updates_per_batch <= 1000, "updates per batch", self.updates_per_batch, "1 to 1000")
        _require(0.0 <= self.priority <= 1.0, "priority", self.priority, "an exponent from 0 to 1")
        correction = self.priority_correction
        _require(0.0 <= correction <= 1.0, "priority correction", correction, "an exponent from 0 to 1")
        if not 0.0 <= self.epsilon_end <= self.epsilon <= 1.0:
            text = f"epsilon {self.epsilon} and epsilon-end {self.epsilon_end} are out of range"
            raise UsageError(text, "give 1 >= epsilon >= epsilon-end >= 0")
        temperature = self.exploration_temperature
        _require(1.0 <= temperature <= 1000.0, "exploration temperature", temperature, "1 to 1000")
        _require(0.0 < self.exploration_share <= 1.0, "exploration share", self.exploration_share, "above 0, up to 1")


@dataclass(frozen=True)
class PolicyOptions:
    """Options of policy-based algorithms (`rloo ppo rejection`)."""

    group: int = 0
    """Melodies that share a baseline (`rloo`); 0 for all of an update."""

    entropy_bonus: float = 0.0
    """Reward for each nat of entropy a step (`rloo ppo`), against melodies that become alike."""

    ratio_clip: float = 0.2
    """Clipping of the probability ratio (`ppo`)."""

    passes: int = 4
    """Passes over the melodies of an update (`ppo`)."""

    minibatches: int = 4
    """Minibatches in a pass (`ppo`)."""

    gae: float = 0.95
    """Lambda of generalised advantage estimation (`ppo`)."""

    keep: float = 0.25
    """Share of the melodies that are learned from (`rejection`)."""

    def __post_init__(self) -> None:
        _require(self.group == 0 or self.group >= 2, "group", self.group, "2 melodies or more, or 0 for all")
        _require(0.0 <= self.entropy_bonus <= 100.0, "entropy bonus", self.entropy_bonus, "0 to 100, such as 0.05")
        _require(0.0 < self.ratio_clip < 1.0, "ratio clip", self.ratio_clip, "a number between 0 and 1; 0.2 is usual")
        _require(1 <= self.passes <= 100, "passes", self.passes, "1 to 100")
        _require(1 <= self.minibatches <= 1024, "minibatches", self.minibatches, "1 to 1024")
        _require(0.0 <= self.gae <= 1.0, "gae", self.gae, "a number from 0 to 1")
        _require(0.0 < self.keep < 1.0, "keep", self.keep, "a share between 0 and 1")


@dataclass(frozen=True)
class WatchOptions:
    """Options of the diversity checks, which prevent a collapse to a few melodies."""

    look: int = 20
    """Updates between two checks of new melodies; 0 for none."""

    watched: int = 500
    """Melodies that are sampled for a check."""

    stop: bool = True
    """Stop after two failed checks in a row; otherwise only report them."""

    def __post_init__(self) -> None:
        _require(0 <= self.look <= 10**7, "look", self.look, "0 or more updates")
        _require(16 <= self.watched <= 100_000, "watched", self.watched, "16 to 100000 melodies")


@dataclass(frozen=True)
class CriticOptions:
    """Options of the critic: discriminators that reward melodies which they take for human (`rloo ppo rejection mpo`).

    `mpo` has discriminators of notes, others those of steps.
    """

    critic: ByAlgorithm[bool] = _BY_ALGORITHM
    """Reward melodies that discriminators take for human; they are trained together with the model. On by
    default for `mpo`."""

    critic_weight: ByAlgorithm[float] = _BY_ALGORITHM
    """Weight w of a nat of log odds relative to a nat of log p: without rules the optimum is w / (1 + w) of the way
    from the trained model to the human distribution. The default is 5, 1.43 for `mpo`."""

    critic_every: ByAlgorithm[int] = _BY_ALGORITHM
    """Updates between two trainings of the discriminators; 2 by default, 1 for `mpo`."""

    critic_lessons: ByAlgorithm[int] = _BY_ALGORITHM
    """Optimizer steps of each discriminator in a training; 8 by default, 6 for `mpo`."""

    critic_start: ByAlgorithm[int] = _BY_ALGORITHM
    """Optimizer steps of each discriminator before the first update; 300 by default, 380 for `mpo`, which takes whole
    epochs."""

    critic_members: int = 2
    """Number of discriminators; the mean of their log odds counts."""

    critic_clip: float = 10.0
    """Maximum magnitude of the log odds of a melody, in nats."""

    critic_replay: int = 2048
    """Older melodies that are kept, so that the discriminators still recognise them."""

    def __post_init__(self) -> None:
        weight, every, lessons, start = (
            DEFAULTS[name] if getattr(self, name) is None else getattr(self, name)
            for name in ("critic_weight", "critic_every", "critic_lessons", "critic_start")
        )
        _require(0.0 < weight <= 1000.0, "critic weight", weight, "above 0, up to 1000")
        _require(1 <= every <= 10**7, "critic every", every, "1 or more updates")
        _require(1 <= lessons <= 100_000, "critic lessons", lessons, "1 to 100000")
        _require(1 <= start <= 100_000, "critic start", start, "1 to 100000")
        _require(1 <= self.critic_members <= 32, "critic members", self.critic_members, "1 to 32; 2 or 3 are usual")
        _require(0.0 < self.critic_clip <= 1000.0, "critic clip", self.critic_clip, "nats above 0, up to 1000")
        _require(64 <= self.critic_replay <= 65536, "critic replay", self.critic_replay, "64 to 65536 melodies")


@dataclass(frozen=True)
class NoteOptions:
    """Options of learning from notes that are tried (`mpo`)."""

    tried: int = 4
    """Notes that are tried at each place of a melody."""

    matching: float = 1.43
    """Weight of the reward for having notes as often as people have them, relative to a nat of log p; 0 for none."""

    matching_rate: float = 0.015
    """Rate at which that reward follows the frequencies, nats an update."""

    epochs: int = 2
    """Passes over the melodies of an update."""

    def __post_init__(self) -> None:
        _require(2 <= self.tried <= 64, "tried", self.tried, "2 to 64 notes")
        _require(0.0 <= self.matching <= 1000.0, "matching", self.matching, "0 to 1000")
        _require(0.0 < self.matching_rate <= 1.0, "matching rate", self.matching_rate, "a rate above 0, up to 1")
        _require(1 <= self.epochs <= 100, "epochs", self.epochs, "1 to 100")


@dataclass(frozen=True)
class TuningOptions:
    """Options of tuning a trained model on rules of music theory.

    What an algorithm has another default for (`DEFAULTS`, `MPO_DEFAULTS`) is never None in an instance.
    """

    algorithm: Algorithm = "rloo"
    """`rloo`: policy gradient on whole melodies. `ppo`: the same with clipped steps and a value network. `q`: the
    paper's deep Q-learning; `double-q`, `psi` and `g` are its variants. `rejection`: maximum likelihood on the best of
    its own melodies. `mpo`: weighted likelihood of several notes that are tried at each place, for models of notes."""

    rules: ByAlgorithm[str] = _BY_ALGORITHM
    """A rule set (`cantilena`, `rl-tuner`, `paper`), a TOML file, a rule of your own `FILE.py:NAME`, or several joined
    by +; `none` if only the critic rewards. The default is `rl-tuner`, `none` for `mpo`."""

    weights: tuple[str, ...] = ()
    """Weights of single rules, such as `tonic=5 leap=1.5`; 1 is the published value."""

    key: str = ""
    """The key of the rules, such as "D minor"; C major by default. For `mpo` only that of checks and report."""

    also_keys: tuple[str, ...] = field(default=(), metadata={"omit_default": True})
    """More keys, such as "A minor" "D dorian": the updates take turns in all of them. For `rloo`, `ppo` and
    `rejection`."""

    meter: str = "4/4"
    """The time signature of the melodies; for `mpo` only of those of checks and report."""

    c: float | None = None
    """The reward is log p + r / c: the larger c, the closer to the trained model. The default is 3 for `rloo`, `ppo`,
    `rejection` and `mpo`, 0.5 for value-based algorithms; a fifth of that for the set `cantilena`, whose rewards are
    smaller."""

    target_kl: float | None = None
    """Target KL divergence from the trained model, nats a step: c rises while it is exceeded, and falls back after."""

    clip: float = 10.0
    """Maximum magnitude of a rule's reward at a step while learning (metrics count the whole)."""

    updates: ByAlgorithm[int] = _BY_ALGORITHM
    """Number of updates, each on new melodies; 200 by default, 48 for `mpo`."""

    melodies: ByAlgorithm[int] = _BY_ALGORITHM
    """Melodies sampled for an update; 512 by default, 48 for `mpo`."""

    steps: int = 32
    """Steps of each melody, 8 to 512; for `mpo` only of those of checks and report."""

    learning_rate: float | None = None
    """Learning rate of Adam, annealed to a tenth by a cosine. The default is 0.003 for `rloo`, 0.0004 for `mpo`, 0.001
    for the others, with a critic and for models of notes."""

    max_norm: float = 5.0
    """Maximum norm of the gradient."""

    reference_mode: bool = False
    """Learn as the published RL Tuner does: from single transitions, with its settings (`q`, `psi`, `g`)."""

    seed: int = 1
    """The same seed gives the same model."""

    device: str = "auto"
    """`cpu`, `cuda`, `mps`, or `auto`."""

    value: ValueOptions = field(default_factory=ValueOptions)
    """Options of value-based algorithms."""

    policy: PolicyOptions = field(default_factory=PolicyOptions)
    """Options of policy-based algorithms."""

    watch: WatchOptions = field(default_factory=WatchOptions)
    """Options of the diversity checks."""

    critic: CriticOptions = field(default_factory=CriticOptions)
    """Options of the critic."""

    notes: NoteOptions = field(default_factory=NoteOptions, metadata={"omit_default": True})
    """Options of notes that are tried."""

    def __post_init__(self) -> None:
        if self.algorithm not in DEFAULT_C:
            raise UsageError(f"unknown algorithm '{self.algorithm}'", f"choose one of {', '.join(DEFAULT_C)}")
        defaults = DEFAULTS | MPO_DEFAULTS if self.algorithm == "mpo" else DEFAULTS
        for name in (one.name for one in fields(self) if one.name in defaults and getattr(self, one.name) is None):
            object.__setattr__(self, name, defaults[name])
        of_critic = (one.name for one in fields(self.critic) if getattr(self.critic, one.name) is None)
        object.__setattr__(self, "critic", replace(self.critic, **{name: defaults[name] for name in of_critic}))
        if self.reference_mode and self.algorithm not in ("q", "psi", "g"):
            raise UsageError(f"the reference mode has no {self.algorithm}", "choose --algorithm q, psi or g")
        _require(self.c is None or 1e-6 <= self.c <= 1e6, "c", self.c, "0.000001 to 1000000, such as 3 for rloo")
        kl = self.target_kl
        _require(kl is None or 0.0 < kl <= 100.0, "target KL", kl, "nats a step above 0, up to 100, such as 0.5")
        _require(0.0 < self.clip <= _LARGE, "clip", self.clip, "a number above 0; 1e9 clips nothing")
        _require(1 <= self.updates <= 10**7, "updates", self.updates, "1 or more")
        _require(2 <= self.melodies <= 65536, "melodies", self.melodies, "2 to 65536")
        _require(8 <= self.steps <= 512, "steps", self.steps, "8 to 512")
        rate = self.learning_rate
        _require(rate is None or 0.0 < rate < 1.0, "learning rate", rate, "a number between 0 and 1")
        _require(0.0 < self.max_norm <= _LARGE, "max-norm", self.max_norm, "a number above 0; 1e9 clips nothing")
        _require(0 <= self.seed < 2**63, "seed", self.seed, "an integer from 0 to 2^63 - 1")
        for name in self.also_keys:
            Key.parse(name)
        for asked, able, what in (
            (self.critic.critic, ON_POLICY, "from a critic, whose reward changes"),
            (self.also_keys, KEYS_IN_TURN, "in several keys in turn"),
        ):
            if asked and (self.algorithm not in able or self.reference_mode):
                hint = f"choose --algorithm {', '.join(able[:-1])} or {able[-1]}"
                raise UsageError(f"{self.algorithm} cannot learn {what}", hint)
        if self.rules.strip() == NO_RULES and not self.critic.critic:
            if self.algorithm != "mpo":
                raise UsageError("there are neither rules nor a critic", "name --rules, or add --critic")
            if not self.notes.matching:
                raise UsageError("there are neither rules nor a critic nor matching", "name --rules, or add --critic")
        if self.policy.group > self.melodies or (self.policy.group and self.melodies % self.policy.group):
            raise UsageError(
                f"{self.melodies} melodies cannot be divided into groups of {self.policy.group}",
                "give a group size that divides the number of melodies",
            )
        for weight in self.weights:
            name, _, value = weight.partition("=")
            if not name or not _is_weight(value):
                raise UsageError(f"invalid weight '{weight}'", "write RULE=NUMBER, such as tonic=5")

    def c_for(self, scale: float = 1.0) -> float:
        """The value of c: as given, or the default of the algorithm times the scale of a rule set's rewards."""
        return DEFAULT_C[self.algorithm] * scale if self.c is None else self.c

    @property
    def step_size(self) -> float:
        """The learning rate: as given, or the default of the algorithm, but for models of notes."""
        default = 3e-3 if self.algorithm == "rloo" and not self.critic.critic else 1e-3
        default = MPO_LEARNING_RATE if self.algorithm == "mpo" else default
        return default if self.learning_rate is None else self.learning_rate

    @property
    def rule_weights(self) -> dict[str, float]:
        """The weights by rule."""
        return {name: float(value) for name, _, value in (weight.partition("=") for weight in self.weights)}


def _is_weight(text: str) -> bool:
    try:
        return abs(float(text)) <= _LARGE  # neither infinite nor NaN, and sums of rewards stay finite
    except ValueError:
        return False
