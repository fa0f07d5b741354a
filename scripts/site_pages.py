"""Pages of the documentation site that are generated: the README as its index, the commands, the API reference.

MkDocs calls the functions here (`hooks` in mkdocs.yml). The commands come from `cantilena --help`, the reference from
the public names that each package lists in its `__init__.pyi`. A public name, method or property without a docstring
fails the build.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "src" / "cantilena"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List a page for each package under "API reference"."""
    pages = [{package: f"api/{package}.md"} for package in packages()]
    config.nav = [{"API reference": pages} if "API reference" in entry else entry for entry in config.nav or []]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    pages = {"index.md": index(), "commands.md": commands()}
    pages |= {f"api/{package}.md": reference(package) for package in packages()}
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:  # noqa: ANN401
    """Turn links that leave the folder of documents into plain names: the site stands without the checkout."""
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)+(?!\w+\.md)[^)]*\)", r"`\1`", markdown)


def index() -> str:
    """The README, whose links to other documents start at its folder."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    text = text.replace("](docs/", "](").replace("](lessons)", "](lessons/README.md)")
    return re.sub(r"\[([^\]]+)\]\((?:CONTRIBUTING|CHANGELOG|CITATION|LICENSE|src)[^)]*\)", r"`\1`", text)


def commands() -> str:
    """What `--help` prints of every command."""
    from cantilena.cli.parsing import help_text
    from cantilena.cli.table import COMMANDS

    parts = ["# Commands\n"]
    for command in COMMANDS:
        if command.is_group:
            parts.append(f"## cantilena {command.name}\n\n{command.summary}\n")
        else:
            level = "###" if " " in command.name else "##"
            text = help_text(command.load(), f"cantilena {command.name}")
            parts.append(f"{level} cantilena {command.name}\n\n```text\n{text.strip()}\n```\n")
    return "\n".join(parts)


def packages() -> list[str]:
    """What has a page of its own: the root, the packages that list public names, and the errors."""
    stubs = sorted(SOURCE.rglob("__init__.pyi"))
    found = [".".join(["cantilena", *stub.parent.relative_to(SOURCE).parts]) for stub in stubs]
    return sorted([*found, "cantilena.errors"], key=lambda name: name.count("."))


def module_path(name: str) -> Path:
    """The file of a module or package."""
    folder = SOURCE.parent.joinpath(*name.split("."))
    package = folder / "__init__.py"
    return package if package.exists() else folder.with_suffix(".py")


def syntax(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def public_names(package: str) -> dict[str, str]:
    """Where each public name of a package is defined: its module by its name."""
    stub = module_path(package).with_suffix(".pyi")
    if not stub.exists():  # a single module, whose own definitions are public
        body = syntax(module_path(package)).body
        defined = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        return dict.fromkeys(["__version__", *(name for name in defined if not name.startswith("_"))], package)
    imports = [line for line in syntax(stub).body if isinstance(line, ast.ImportFrom)]
    return {alias.name: f"{package}.{line.module}" for line in imports for alias in line.names}


def reference(package: str) -> str:
    """The reference of one package: its own names described, those of other packages linked."""
    summary = (ast.get_docstring(syntax(module_path(package))) or "").partition("\n")[0]
    linked, described = [], []
    for name, home in sorted(public_names(package).items(), key=lambda item: (item[0].lower(), item[0])):
        if home != package and home in packages():
            linked.append(f"- [`{package}.{name}`][{public_names(home)[name]}.{name}]")
        else:
            described.append(f"::: {home}.{name}\n")
    return "\n".join([f"# {package}\n\n{summary}\n", *linked, "", *described])


def on_env(env: Any, **_: Any) -> Any:  # noqa: ANN401
    """Refuse public names, methods and properties without a docstring."""
    missing = undocumented()
    if missing:
        from mkdocs.exceptions import PluginError

        raise PluginError("public names without a docstring: " + ", ".join(missing))
    return env


def undocumented() -> list[str]:
    """Public functions, classes, methods and properties that have no docstring."""
    names = {(home, name) for package in packages() for name, home in public_names(package).items()}
    return sorted(one for home, name in names for one in _without_docstring(syntax(module_path(home)), home, name))


def _without_docstring(module: ast.Module, home: str, name: str) -> list[str]:
    definitions = [
        node for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name
    ]
    found = []
    for node in definitions:
        if not ast.get_docstring(node):
            found.append(f"{home}.{name}")
        for member in node.body if isinstance(node, ast.ClassDef) else []:
            overrides = [ast.unparse(mark) for mark in getattr(member, "decorator_list", [])]
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("_") and "override" not in overrides:
                found += [] if ast.get_docstring(member) else [f"{home}.{name}.{member.name}"]
    return found
