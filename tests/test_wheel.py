"""What is published is whole: a wheel built from the source archive works in an empty environment, away from here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.slow


def run(command: list[str], where: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command as a stranger would: nothing of this process's environment leads back here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        command, cwd=where, env=kept, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == options.get("status", 0), f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source archive and the wheel, built from a copy of what git tracks."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (CHECKOUT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, copy / name)
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)], copy)
    (source,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return source, wheel


def tracked_in_package() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z", "src"], cwd=CHECKOUT, capture_output=True, check=True)
    names = filter(None, listed.stdout.decode().split("\0"))
    return {name.removeprefix("src/") for name in names if (CHECKOUT / name).is_file()}


def test_the_wheel_holds_the_whole_package_and_nothing_else(archives: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(archives[1]) as wheel:
        names = set(wheel.namelist())
    inside = {name for name in names if ".dist-info/" not in name}
    assert inside == tracked_in_package()
    assert "cantilena/py.typed" in inside
    assert {Path(name).suffix for name in inside} >= {".py", ".pyi", ".parquet", ".safetensors"}
    for licence in ("LICENSE", "LICENSE-weights"):
        assert any(name.endswith(f"licenses/{licence}") for name in names)
    bundles = {
        name for name in inside if name.startswith("cantilena/models/shipped/") and name.endswith(".safetensors")
    }
    assert {name.removesuffix(".safetensors") + ".md" for name in bundles} <= inside
    assert "cantilena/models/shipped/LICENSE-weights" in inside
    assert archives[1].stat().st_size < 12 * 2**20


def test_the_source_archive_builds_and_holds_what_a_reader_needs(archives: tuple[Path, Path]) -> None:
    with tarfile.open(archives[0]) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    assert {
        "LICENSE",
        "LICENSE-weights",
        "README.md",
        "CHANGELOG.md",
        "CITATION.cff",
        "constraints.txt",
        "pyproject.toml",
    } <= names
    assert {f"src/{name}" for name in tracked_in_package()} <= names
    assert not any(name.startswith("tests/") for name in names)


@pytest.fixture(scope="module")
def elsewhere(archives: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty environment in which only the wheel was installed; a folder away from the checkout."""
    folder = tmp_path_factory.mktemp("else where")
    run([sys.executable, "-m", "venv", "environment"], folder)
    pip = [str(folder / "environment" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
    run([*pip, "--constraint", str(CHECKOUT / "constraints.txt"), str(archives[1])], folder)
    yield folder
    shutil.rmtree(folder / "environment")  # more than a gigabyte


def test_installed_elsewhere_it_is_healthy_and_composes(elsewhere: Path) -> None:
    cantilena = str(elsewhere / "environment" / "bin" / "cantilena")
    health = json.loads(run([cantilena, "doctor", "--json"], elsewhere).stdout)
    assert health["ok"], health
    assert run([cantilena, "--version"], elsewhere).stdout.startswith("cantilena ")
    run([cantilena, "compose", "tunes", "-n", "2", "--bars", "4", "--seed", "1", "--out", "melodies"], elsewhere)
    made = sorted(path.suffix for path in (elsewhere / "melodies").iterdir() if path.suffix != ".json")
    assert made == [".mid", ".mid", ".musicxml", ".musicxml", ".svg", ".svg", ".wav", ".wav"]
    assert all(path.stat().st_size > 100 for path in (elsewhere / "melodies").iterdir())


def test_installed_elsewhere_the_few_lines_of_python_work(elsewhere: Path) -> None:
    script = (
        "import cantilena\n"
        "composer = cantilena.load('tunes')\n"
        "melody = composer.compose(seconds=8, primer='C4 E4 G4', seed=1)\n"
        "melody.save('idea.mid')\n"
        "import sys; assert 'torch' not in sys.modules\n"
        "assert 'environment' in cantilena.__file__\n"
    )
    run([str(elsewhere / "environment" / "bin" / "python"), "-c", script], elsewhere)
    assert (elsewhere / "idea.mid").read_bytes()[:4] == b"MThd"
