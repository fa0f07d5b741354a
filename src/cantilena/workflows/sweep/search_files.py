"""Where a search space comes from: the name of one that ships, or a small file of TOML, which runs nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path

from cantilena.errors import UsageError
from cantilena.errors.near_names import near_names
from cantilena.runtime.small_files import small_file
from cantilena.workflows.sweep.space import SearchSpace, space_of

_SHIPPED = Path(__file__).with_name("spaces")
_HOW = "docs/sweep.md shows such a file"


def load_space(text: str) -> SearchSpace:
    """The search space that a user names.

    Args:
        text: a built-in space by name, or a file that ends in `.toml`.

    Raises:
        UsageError: there is none, or it cannot be used; the text says which file and what in it.

    Example:
        >>> [parameter.name for parameter in load_space("default").parameters][:3]
        ['learning_rate', 'batch', 'width']
    """
    if not text.strip():  # as an unset shell variable gives it
        raise UsageError("the search space has no name", f"name one that ships or a file; {_HOW}")
    if text.endswith(".toml") or "/" in text or "\\" in text:
        return _read(Path(text), text)
    shipped = {path.stem: path for path in sorted(_SHIPPED.glob("*.toml"))}
    if text not in shipped:
        hint = f"{near_names(text, shipped, 'those that ship')}; or name a file that ends in .toml"
        raise UsageError(f"there is no search space '{text}'", hint)
    return _read(shipped[text], text)


def _read(path: Path, name: str) -> SearchSpace:
    try:
        tables = tomllib.loads(small_file(path).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8", "save it as UTF-8") from error
    except (ValueError, RecursionError) as error:  # tomllib's own error is a ValueError
        raise UsageError(f"{path} is not TOML: {error}", f"mend that line; {_HOW}") from error
    try:
        return space_of(tables, name)
    except UsageError as error:
        raise UsageError(f"{path}: {error.text}", error.hint) from error
