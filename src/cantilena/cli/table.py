"""The table of commands; the module of a command is imported when it runs, so that `--help` answers at once."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cantilena.cli.output import Answer
from cantilena.errors import UsageError


@dataclass(frozen=True)
class Command:
    """One row of the table.

    Args:
        name: what the user types: `doctor`, or two words such as `corpus list`.
        summary: what it does, in one line.
        target: `module:function`; empty for a group.
    """

    name: str
    summary: str
    target: str = ""

    @property
    def is_group(self) -> bool:
        """Whether it only holds further commands."""
        return not self.target

    def load(self) -> Callable[..., Answer | None]:
        """Import the function."""
        module, function = self.target.split(":")
        loaded: Callable[..., Answer | None] = getattr(importlib.import_module(module), function)
        return loaded


COMMANDS = (
    Command("reproduce", "run the paper's experiment, end to end", "cantilena.cli.reproduce:run"),
    Command("corpus", "read folders of scores, and show the music that is there"),
    Command("corpus list", "list the corpora that ship with Cantilena", "cantilena.cli.corpus:list_corpora"),
    Command("corpus read", "read a folder of scores into a corpus file", "cantilena.cli.corpus:read"),
    Command("corpus show", "draw a page of a corpus", "cantilena.cli.corpus:show"),
    Command("corpus cluster", "find the styles that a corpus falls into", "cantilena.cli.corpus:cluster"),
    Command("chords", "show the chords of a score, bar by bar", "cantilena.cli.chords:run"),
    Command("train", "train a model on a corpus", "cantilena.cli.train:run"),
    Command("train network", "train a network", "cantilena.cli.train:network"),
    Command("train ngram", "train an n-gram, the baseline of a network", "cantilena.cli.train:ngram"),
    Command("train vae", "train a VAE, to interpolate and vary melodies", "cantilena.cli.train:vae"),
    Command("train critic", "train a critic, which chooses among the melodies of a search", "cantilena.cli.critic:run"),
    Command("sweep", "search for the parameters that train the best model", "cantilena.cli.sweep:run"),
    Command("import", "import the weights of Magenta's Note RNN", "cantilena.cli.import_model:run"),
    Command("tune", "tune a trained model on rules of music theory", "cantilena.cli.tune:run"),
    Command("compose", "compose melodies with a model", "cantilena.cli.compose:run"),
    Command("harmonise", "find chords for a melody", "cantilena.cli.harmonise:run"),
    Command("studio", "open a page to compose, hear and understand melodies on", "cantilena.cli.studio:run"),
    Command("live", "play together with a model on MIDI devices", "cantilena.cli.live:run"),
    Command("export", "write a model as ONNX, to run without Cantilena", "cantilena.cli.export:run"),
    Command("evaluate", "measure melodies beside people's, and report", "cantilena.cli.evaluate:run"),
    Command("listen", "ask people whether a human or a computer composed what they hear"),
    Command("listen create", "make a listening test of folders of melodies", "cantilena.cli.listen:create"),
    Command("listen rehearse", "let simulated listeners answer it", "cantilena.cli.listen:rehearse"),
    Command("listen serve", "open the page on which people take it", "cantilena.cli.listen:serve"),
    Command("listen analyse", "say what the answers allow to claim", "cantilena.cli.listen:analyse"),
    Command("rules", "see what the rules of music theory say, and of a melody of your own"),
    Command("rules list", "list the sets of rules and their rules", "cantilena.cli.rules:list_all"),
    Command("rules explain", "explain a rule in words, numbers and notes", "cantilena.cli.rules:explain"),
    Command("rules score", "show what rules say of a melody, note by note", "cantilena.cli.rules:score"),
    Command("models", "see which models ship with Cantilena, and what any model is"),
    Command("models list", "list the models that ship with Cantilena", "cantilena.cli.models:list_all"),
    Command("models show", "show the card of a model", "cantilena.cli.models:show"),
    Command("hub", "share models on the Hugging Face hub"),
    Command("hub push", "put a model on the Hugging Face hub", "cantilena.cli.hub:push"),
    Command("doctor", "check that everything works on this machine", "cantilena.cli.doctor:run"),
)
"""All commands, in the order of the help."""

_ALIASES = {"harmonize": "harmonise"}
"""Other spellings of commands."""


def find_command(words: Sequence[str]) -> Command:
    """Find the command that the first one or two words name.

    Args:
        words: the command line after `cantilena`.

    Raises:
        UsageError: there is none of that name; the hint names the nearest.

    Example:
        >>> find_command(["doctor", "--json"]).name
        'doctor'
    """
    by_name = {command.name: command for command in COMMANDS}
    if words[0].startswith("-"):
        raise UsageError(f"{words[0]} comes before the command", "write `cantilena COMMAND [flags]`")
    first, second = by_name.get(_ALIASES.get(words[0], words[0])), by_name.get(" ".join(words[:2]))
    if first is None:
        raise _unknown(words[0], [name for name in by_name if " " not in name], "cantilena --help")
    if second is not None:
        return second
    if first.is_group and words[1:2] not in ([], ["-h"], ["--help"]):
        known = [name.split()[1] for name in by_name if name.startswith(f"{first.name} ")]
        raise _unknown(words[1], known, f"cantilena {first.name} --help", prefix=f"{first.name} ")
    return first


def overview(group: str = "") -> str:
    """The help of the whole program, or of one group of commands."""
    prefix = f"{group} " if group else ""
    depth = len(prefix.split())
    rows = [c for c in COMMANDS if c.name.startswith(prefix) and len(c.name.split()) == depth + 1]
    width = max(len(command.name) for command in rows)
    about = "Cantilena learns melodies, tunes them on rules of music theory, composes, and measures honestly."
    about = next((command.summary for command in COMMANDS if command.name == group), about)
    return "\n".join(
        [
            f"usage: cantilena {prefix}COMMAND [flags]",
            "",
            about,
            "",
            *(f"  {command.name:<{width}}  {command.summary}" for command in rows),
            "",
            f"`cantilena {prefix}COMMAND --help` shows the flags of one command, with an example.",
        ]
    )


def _unknown(word: str, known: Sequence[str], help_line: str, prefix: str = "") -> UsageError:
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    meant = f"did you mean `cantilena {prefix}{near[0]}`? " if near else ""
    return UsageError(f"there is no command '{prefix}{word}'", f"{meant}`{help_line}` lists the commands")
