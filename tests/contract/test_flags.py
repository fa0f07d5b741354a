"""Every flag that was there is there: its names, what it takes, its choices, its default. New ones may join them."""

from __future__ import annotations

import re
from typing import Any

import pytest

Flag = dict[str, Any]


def command_names(shell: Any) -> list[str]:
    """All commands, as the help lists them."""
    names = []
    for first in listed(shell.text("--help")):
        within = listed(shell.text(first, "--help"))
        names += [f"{first} {second}" for second in within] or [first]
    return names


def listed(overview: str) -> list[str]:
    if "COMMAND" not in overview.splitlines()[0]:
        return []
    return re.findall(r"^  (?:[a-z]+ )?([a-z]+)  +\S", overview, re.MULTILINE)


def flags_of(page: str) -> dict[str, Flag]:
    """The flags that a page of help shows, by their long names; arguments without a name by their place."""
    found: dict[str, Flag] = {}
    place = 0
    for box in re.findall(r"^╭.*?^╰", page, re.MULTILINE | re.DOTALL):
        rows = [line[2:].rstrip("│ ") for line in box.splitlines() if line.startswith("│")]
        rules = [number for number, row in enumerate(rows) if row.startswith("───")]
        entries: list[str] = []
        for row in rows[rules[-1] + 1 :] if rules else rows:
            if row[:1].strip():
                entries.append(row)
            elif row.strip():
                entries[-1] += f"  {row.strip()}"
        for entry in entries:
            invocation, _, told = entry.partition("  ")
            flag = flag_of(invocation)
            said = re.sub(r"\s+", " ", told)
            default = re.search(r"\(default: (.*?)\)$", said)
            if default and default[1] not in ("", "''", "None"):  # nothing is said in three ways
                flag["default"] = default[1]
            if "(required)" in said:
                flag["required"] = True
            if not invocation.startswith("-"):
                place += 1
            found[flag.pop("name", f"argument {place}")] = flag
    return found


def flag_of(invocation: str) -> Flag:
    parts = [part.partition(" ")[::2] for part in re.split(r", (?=-)", invocation)]
    names = sorted(name for name, _ in parts)
    takes = parts[0][1] if names[0].startswith("-") else ""
    long = [name for name in names if name.startswith("--") and not name.startswith("--no-")]
    flag: Flag = {"name": (long or names)[0]} if names[0].startswith("-") else {}
    if len(names) > 1:
        flag["names"] = names
    if choices := re.fullmatch(r"\{([^\s\[\]]+,[^\s\[\]]+)\}", takes):
        flag["choices"] = choices[1].split(",")
    elif takes:
        flag["takes"] = takes
    return flag


def test_every_flag_is_as_it_was(shell: Any, stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "98")  # wide enough for choices in a line, too narrow for two columns of flags
    now = {name: flags_of(shell.text(*name.split(), "--help")) for name in command_names(shell)}
    kept = stored("commands.json", now)
    assert sum(map(len, kept.values())) > 300
    lost = [f"{name} {flag}" for name, flags in kept.items() for flag in flags if flag not in now.get(name, {})]
    assert lost == []
    for name, flags in kept.items():
        for flag, facts in flags.items():
            there = dict(now[name][flag])
            if "choices" in facts:  # more of them may have come
                there["choices"] = [choice for choice in there.get("choices", []) if choice in facts["choices"]]
            if "names" in facts:
                there["names"] = [one for one in there.get("names", [flag]) if one in facts["names"]]
            assert (name, flag, there) == (name, flag, facts)
