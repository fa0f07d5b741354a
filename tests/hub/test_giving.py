"""Bundles given to the hub: one commit with card and licence, nothing lost, nothing public that should be private."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from cantilena.cli import main
from cantilena.errors import BundleError, InputError, RunError, UsageError
from cantilena.models import Bundle, find_bundle
from cantilena.models.bundle import hub as door
from cantilena.workflows import push_bundle

TUNES = find_bundle("tunes")


def held(hub: Any, name: str = "anna/waltzes") -> dict[str, bytes]:
    repository = hub.repositories[name]
    return repository.commits[repository.refs["main"]]


def test_what_is_given_can_be_fetched_again(hub: Any, token: str) -> None:
    pushed = push_bundle("tunes", "anna/waltzes")
    assert sorted(held(hub)) == ["LICENSE", "README.md", "model.safetensors"]
    assert held(hub)["README.md"] == TUNES.with_suffix(".md").read_bytes()
    assert b"public domain" in held(hub)["LICENSE"]
    assert not hub.repositories["anna/waltzes"].private
    assert pushed.address == "hf://anna/waltzes"
    assert pushed.url == f"{hub.url}/anna/waltzes"
    for address in (pushed.address, f"{pushed.address}@{pushed.commit}"):
        assert find_bundle(address).read_bytes() == TUNES.read_bytes()


@pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # the library's own
def test_large_files_go_the_way_of_large_files(hub: Any, token: str) -> None:
    hub.large_files = True
    push_bundle("tunes", "anna/waltzes")
    assert held(hub)["model.safetensors"] == TUNES.read_bytes()
    assert any(line.startswith("PUT /store/") for line in hub.asked)


def test_a_bundle_of_ones_own_gets_a_card_from_its_metadata(hub: Any, token: str, tmp_path: Path) -> None:
    theirs = {"name": "piano", "licence": "CC BY-SA 3.0 DE", "attribution": "Bernd Krueger, http://www.piano-midi.de"}
    bundle = Bundle.load(TUNES)
    told = {**bundle.provenance, "corpus": {"name": "both", "sources": [theirs, {"name": "tunes"}]}}
    (tmp_path / "run").mkdir()
    replace(bundle, licence="CC BY-SA 3.0 DE", provenance=told).save(tmp_path / "run" / "model.safetensors")
    (tmp_path / "run" / "secrets.txt").write_text("nobody's business")
    push_bundle(str(tmp_path / "run"), "anna/my-piano", private=True)
    files = held(hub, "anna/my-piano")
    assert sorted(files) == ["LICENSE", "LICENSE-weights", "README.md", "model.safetensors"]
    card = huggingface_hub.ModelCard(files["README.md"].decode())
    assert card.data.library_name == "cantilena"
    assert "cantilena compose hf://anna/my-piano" in card.text
    assert "Attribution: Bernd Krueger" in card.text
    assert str(tmp_path) not in card.content
    assert hub.repositories["anna/my-piano"].private


def test_what_is_there_stays_unless_told_otherwise(hub: Any, token: str) -> None:
    first = push_bundle("tunes", "anna/waltzes")
    with pytest.raises(RunError, match="holds a model already"):
        push_bundle("tunes+rl", "anna/waltzes")
    second = push_bundle("tunes+rl", "anna/waltzes", force=True)
    assert find_bundle(f"hf://anna/waltzes@{first.commit}").read_bytes() == TUNES.read_bytes()
    assert find_bundle(f"hf://anna/waltzes@{second.commit}").read_bytes() == find_bundle("tunes+rl").read_bytes()


def test_nothing_private_goes_where_all_can_see(hub: Any, token: str) -> None:
    hub.repositories["anna/open"] = hub.new_repository()
    with pytest.raises(RunError, match="is there already, and public"):
        push_bundle("tunes", "anna/open", private=True, force=True)
    assert hub.repositories["anna/open"].commits == {}
    push_bundle("tunes", "anna/open")  # an empty repository is filled
    assert "model.safetensors" in held(hub, "anna/open")


def test_without_a_token_nothing_is_sent(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError) as caught:
        push_bundle("tunes", "anna/waltzes")
    assert "hf auth login" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    with pytest.raises(InputError, match="does not let you do that") as caught:
        push_bundle("tunes", "anna/waltzes")
    assert "hf_another" not in caught.value.text + caught.value.hint
    assert hub.repositories == {}


def test_what_is_no_bundle_or_no_name_is_never_sent(
    hub: Any, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(BundleError):
        push_bundle(str(tmp_path / "bad.safetensors"), "anna/waltzes")
    for name in ("waltzes", "anna/../x", "", "anna/waltzes/x", "a b/c"):
        with pytest.raises(UsageError):
            push_bundle("tunes", name)
    monkeypatch.setattr(door, "LARGEST", 1000)
    with pytest.raises(BundleError, match="more than the 0 MB"):
        push_bundle("tunes", "anna/waltzes")
    assert hub.asked == []


def test_a_card_that_the_hub_does_not_take_is_told(hub: Any, token: str) -> None:
    with pytest.raises(InputError) as caught:
        door.upload_bundle(TUNES, "anna/waltzes", {"README.md": "---\ntags: []\n---\n# no licence"})
    assert '"license" is missing' in caught.value.text
    assert hub.repositories["anna/waltzes"].commits == {}


def test_no_network_while_giving_is_a_sentence(hub: Any, token: str) -> None:
    hub.close()
    with pytest.raises(InputError, match=r"the hub cannot be reached for hf://anna/waltzes \(ConnectError\)"):
        push_bundle("tunes", "anna/waltzes")


def test_a_hub_that_refused_is_believed_over_the_cache_and_a_broken_one_is_not(hub: Any, token: str) -> None:
    push_bundle("tunes", "anna/waltzes")
    path = find_bundle("hf://anna/waltzes")
    hub.broken = 500
    assert find_bundle("hf://anna/waltzes") == path
    hub.broken = None
    hub.repositories.clear()
    with pytest.raises(InputError, match="there is no hf://anna/waltzes"):
        find_bundle("hf://anna/waltzes")


def test_the_command_answers_in_json_and_says_the_rest_on_stderr(
    hub: Any, token: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["hub", "push", "tunes", "anna/waltzes", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["address"] == "hf://anna/waltzes"
    size = find_bundle("tunes").stat().st_size / 1e6
    assert err.splitlines() == [f"Uploading tunes.safetensors to hf://anna/waltzes ({size:.1f} MB)"]
    assert main(["hub", "push", "tunes", "anna/waltzes"]) == 1
    assert capfd.readouterr().err.splitlines()[-2:] == [
        "error: hf://anna/waltzes holds a model already",
        "hint: give another name, or --force to add a commit to it",
    ]
    assert main(["models", "show", "hf://anna/waltzes", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["name"] == "waltzes"
    assert main(["compose", "hf://anna/nothing"]) == 1
    assert "there is no hf://anna/nothing" in capfd.readouterr().err


@pytest.mark.e2e
def test_a_process_of_its_own_fetches_and_composes_offline(hub: Any, token: str, tmp_path: Path) -> None:
    """As users set it: by the environment, before anything is imported."""
    push_bundle("tunes", "anna/waltzes")
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
    kept |= {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_TELEMETRY": "1"}
    words = "compose hf://anna/waltzes -n 1 --bars 2 --no-copy-check --json --out".split()
    command = [sys.executable, "-m", "cantilena", *words]

    def run(out: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, str(tmp_path / out)], env=kept | more, capture_output=True, text=True, check=False, cwd=tmp_path
        )

    first = run("a")
    assert first.returncode == 0, first.stderr
    hub.close()
    second = run("b", HF_HUB_OFFLINE="1")
    assert second.returncode == 0, second.stderr
    notes = [json.loads(one.stdout)["melodies"][0]["tokens"] for one in (first, second)]
    assert notes[0] == notes[1]
    assert "Fetching hf://anna/waltzes" in first.stderr
    assert "Fetching" not in second.stderr
    (tmp_path / "other").mkdir()
    third = run("c", HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "other"))
    assert third.returncode == 1
    assert json.loads(third.stdout)["error"] == "hf://anna/waltzes was not fetched yet, and the hub may not be asked"
    assert len(third.stderr.strip().splitlines()) == 2
