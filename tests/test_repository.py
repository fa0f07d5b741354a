"""The conventions of the repository: file sizes, names, docstrings, cheap imports, documents that match the code."""

from __future__ import annotations

import ast
import functools
import graphlib
import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cantilena.cli.parsing import parse
from cantilena.cli.table import COMMANDS, find_command

CHECKOUT = Path(__file__).resolve().parents[1]
SOURCE = CHECKOUT / "src" / "cantilena"
MODULES = sorted(SOURCE.rglob("*.py"))
STUBS = sorted(SOURCE.rglob("__init__.pyi"))
HEAVY = {
    *"numpy torch numba verovio symusic music21 matplotlib pyarrow scipy sklearn gymnasium".split(),
    *"huggingface_hub optuna onnx onnxruntime fastapi pydantic uvicorn reportlab".split(),
}


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def described_names(body: list[ast.stmt]) -> set[str]:
    """Names with a docstring: definitions that begin with one, assignments that are followed by one."""
    found: set[str] = set()
    for statement, following in zip(body, [*body[1:], None], strict=True):
        match statement:
            case ast.FunctionDef() | ast.ClassDef() if ast.get_docstring(statement):
                found.add(statement.name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                    found.add(name)
            case _:
                pass
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_file_is_short_and_has_a_docstring(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= 600
    assert ast.get_docstring(tree_of(path))
    assert path.stem not in {"utils", "util", "helpers", "helper", "common", "misc", "base", "tools"}


def statements(tree: ast.Module) -> list[ast.AST]:
    """All statements of a module, those inside others too; imports are never in expressions."""
    found: list[ast.AST] = [tree]
    for node in found:
        found += (
            inner
            for inner in ast.iter_child_nodes(node)
            if isinstance(inner, ast.stmt | ast.ExceptHandler | ast.match_case)
        )
    return found


@functools.cache
def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in statements(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_libraries_are_imported_in_their_packages_only(path: Path) -> None:
    imported = imports_of(path)
    assert "cantilena" not in imported, "import from the package, `from cantilena.music import Melody`"
    libraries = {name.partition(".")[0] for name in imported}
    if not name_of(path).startswith("reporting/figures/"):
        assert "matplotlib" not in libraries
    if path.name.endswith("options.py"):
        assert not libraries & HEAVY, "options are read for --help: keep them light"


def test_no_folder_holds_more_than_24_files() -> None:
    folders = {path.parent for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    crowded = {
        name_of(folder): count
        for folder in folders
        if (count := sum(path.is_file() and not path.name.startswith("__init__") for path in folder.iterdir())) > 24
    }
    assert crowded == {}
    assert len(MODULES) <= 445


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def public_homes() -> dict[tuple[str, str], str]:
    """The module in which each public name is defined, by package and name."""
    homes = {}
    for stub in STUBS:
        package = module_of(stub)
        for line in tree_of(stub).body:
            if isinstance(line, ast.ImportFrom):
                homes |= {(package, alias.name): f"{package}.{line.module}" for alias in line.names}
    return homes


def runtime_imports(tree: ast.AST) -> list[ast.ImportFrom]:
    """All imports of a module, those inside functions too, but not those that only a type checker sees."""
    found: list[ast.ImportFrom] = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom):
            found.append(node)
        elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case) and not (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        ):
            found += runtime_imports(node)
    return found


def test_no_two_modules_import_each_other() -> None:
    homes, modules = public_homes(), {module_of(path): path for path in MODULES}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        graph[name] = set()
        for node in runtime_imports(tree_of(path)):
            for alias in node.names:
                home = (node.module or "", alias.name)
                while home in homes and homes[home] != home[0]:
                    home = (homes[home], alias.name)
                full = f"{home[0]}.{alias.name}"
                graph[name] |= {full if full in modules else home[0]} & modules.keys() - {name}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the modules of a cycle


@pytest.mark.parametrize("stub", STUBS, ids=name_of)
def test_public_names_can_be_imported_and_are_described(stub: Path) -> None:
    name = ".".join(["cantilena", *stub.parent.relative_to(SOURCE).parts])
    package = importlib.import_module(name)
    for line in tree_of(stub).body:
        assert isinstance(line, ast.ImportFrom)
        for alias in line.names:
            assert alias.asname is not None, f"{name}: write `{alias.name} as {alias.name}`"
            assert getattr(package, alias.asname) is not None
            assert alias.asname in dir(package)
            module = SOURCE.joinpath(*stub.parent.relative_to(SOURCE).parts, *(line.module or "").split("."))
            if module.with_suffix(".py").is_file():
                described = described_names(tree_of(module.with_suffix(".py")).body)
                assert alias.name in described, f"{name}.{alias.name} has no docstring in {name_of(module)}.py"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*options.py")), ids=name_of)
def test_every_option_is_described_for_the_help(path: Path) -> None:
    for thing in tree_of(path).body:
        if isinstance(thing, ast.ClassDef) and any("dataclass" in ast.unparse(mark) for mark in thing.decorator_list):
            fields = {ast.unparse(line.target) for line in thing.body if isinstance(line, ast.AnnAssign)}
            arguments = set(re.findall(r"^ +(\w+): ", ast.get_docstring(thing, clean=False) or "", re.MULTILINE))
            described = described_names(thing.body) | (set() if thing.name.endswith("Options") else arguments)
            assert fields <= described, f"a field of {thing.name} has no docstring"
            assert any("frozen=True" in ast.unparse(mark) for mark in thing.decorator_list)


def heavy_modules_after(code: str) -> set[str]:
    """Run code in a fresh interpreter; what it printed goes nowhere, what it imported comes back."""
    before = "import sys, json, io\nkept, sys.stdout = sys.stdout, io.StringIO()"
    script = f"{before}\n{code}\nprint(json.dumps([*sys.modules]), file=kept)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return HEAVY & {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_importing_the_package_costs_nothing() -> None:
    assert heavy_modules_after("import cantilena; cantilena.CantilenaError; dir(cantilena)") == set()


def test_help_of_the_program_and_of_every_command_imports_nothing_heavy() -> None:
    calls = [["--help"], *([*command.name.split(), "--help"] for command in COMMANDS)]
    code = f"from cantilena.cli import main\nfor words in {calls!r}: assert main(words) == 0, words"
    assert heavy_modules_after(code) == set()


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(
    ("code", "unused"),
    [
        ("import cantilena; cantilena.load('tunes').compose(bars=2, seed=1)", "torch numba verovio pyarrow"),
        ("from cantilena.cli import main; main(['models', 'list'])", "torch verovio"),
        ("from cantilena.cli import main; main(['rules', 'list'])", "torch numba pyarrow"),
        ("from cantilena.workflows import run_evaluation; run_evaluation.__doc__", "torch sklearn"),
    ],
    ids=["compose", "models list", "rules list", "evaluate"],
)
def test_nothing_waits_for_a_library_that_it_does_not_use(code: str, unused: str) -> None:
    assert heavy_modules_after(code) & set(unused.split()) == set()


@functools.cache
def tracked_texts() -> dict[str, str]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    texts = {}
    for name in done.stdout.decode("utf-8", "surrogateescape").split("\0"):
        path = CHECKOUT / name
        if name and path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                texts[name] = content.decode("utf-8", "replace")
    return texts


def test_no_file_names_a_place_on_one_machine_or_a_registry() -> None:
    folders = [f"/{folder}/" for folder in ("work", "root", "Users", "opt/pypi", "opt/wheels")]
    hosts = ["pypi" + ".org", "python" + "hosted", "registry." + "npmjs"]
    found = [
        f"{name}: {word}"
        for name, text in tracked_texts().items()
        for word in (*folders, "/tmp" + "/dev", *hosts)
        if word in text and name != "tests/test_repository.py"
    ]
    found += [name for name, text in tracked_texts().items() if re.search(r"/home/(?!user\b|you\b)\w+/", text)]
    assert found == []


def test_what_is_public_ships_with_types() -> None:
    assert (SOURCE / "py.typed").exists()
    for folder in SOURCE.iterdir():
        if (folder / "__init__.py").exists() and folder.name != "cli":
            assert (folder / "__init__.pyi").exists(), f"{folder.name} declares no public names"


def test_every_library_that_is_imported_is_asked_for() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {re.split(r"[><=]", line)[0].lower().replace("-", "_") for line in project["dependencies"]}
    needed |= {"sklearn"} if "scikit_learn" in needed else set()  # imported under another name than it is installed by
    extras = {
        name: {re.split(r"[><=]", line)[0].lower().replace("-", "_") for line in lines}
        for name, lines in project["optional-dependencies"].items()
    }
    for folder, allowed in [
        # markupsafe is jinja2's own type of text
        ("src", needed | extras["hub"] | extras["sweep"] | extras["live"] | extras["onnx"] | {"markupsafe"}),
        ("tests", needed | extras["hub"] | extras["dev"]),
    ]:
        for path in (CHECKOUT / folder).rglob("*.py"):
            libraries = {name.partition(".")[0].lower() for name in imports_of(path)}
            scripts = {script.stem for script in (CHECKOUT / "scripts").glob("*.py")}
            assert libraries - allowed - set(sys.stdlib_module_names) - scripts <= {"cantilena", "__future__"}, path


def documents() -> list[Path]:
    return [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]


def shell_lines(text: str) -> list[list[str]]:
    """The words of every `make` and `cantilena` line in blocks of code and between backticks."""
    blocks = re.findall(r"^```(?:sh|bash|console|text)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", text)
    lines = [line.removeprefix(".venv/bin/").strip() for line in lines]
    return [shlex.split(line, comments=True) for line in lines if re.match(r"(make|cantilena) [a-z]", line)]


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_documents_name_commands_and_flags_that_exist(document: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", makefile, re.MULTILINE))
    for words in shell_lines(document.read_text(encoding="utf-8")):
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= targets, words
        elif len(words) > 1 and "COMMAND" not in words:
            command = find_command(words[1:])
            rest = words[1 + len(command.name.split()) :]
            complete = rest and not any(word in ("...", "--help") or "|" in word for word in rest)
            if complete and not command.is_group:
                parse(command.load(), rest, command.name)


def test_the_few_lines_of_python_in_the_readme_run(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (CHECKOUT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True)
    assert {path.suffix for path in tmp_path.iterdir()} >= {".mid", ".svg", ".wav"}


def test_relative_links_of_documents_lead_somewhere() -> None:
    for document in documents():
        for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_files_and_packages_that_documents_name_exist() -> None:
    for document in documents():
        for name in re.findall(r"`([\w/]+/[\w.]+\.(?:py|html|txt|toml))`", document.read_text(encoding="utf-8")):
            assert (SOURCE / name).exists() or (CHECKOUT / name).exists(), f"{document.name}: {name}"
    architecture = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for folder in SOURCE.iterdir():
        if (folder / "__init__.py").exists():
            assert f"**`{folder.name}`**" in architecture, f"docs/architecture.md says nothing of {folder.name}"


def test_every_command_is_written_down_for_readers() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    missing = [command.name for command in COMMANDS if f"cantilena {command.name.split()[0]}" not in readme]
    assert missing == []
