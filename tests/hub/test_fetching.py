"""Bundles from the hub: one file, of a bounded size, checked, kept, and every refusal one sentence."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import huggingface_hub.utils
import pytest

from cantilena.errors import BundleError, CantilenaError, InputError, MissingError, UsageError
from cantilena.generation import load
from cantilena.models import Bundle, find_bundle
from cantilena.models.bundle.hub import LARGEST, HubRepo, fetch_bundle
from cantilena.rl import TuningOptions
from cantilena.workflows.evaluate.systems import parse_systems
from cantilena.workflows.tune.inputs import load_tuning_inputs

TUNES = find_bundle("tunes").read_bytes()


def shelf(hub: Any, name: str = "anna/waltzes", **kinds: bool) -> Any:
    """A repository with a bundle, and files beside it that nobody should fetch."""
    repository = hub.new_repository(**kinds)
    repository.add({"model.safetensors": TUNES, "pytorch_model.bin": b"pickle", "run_me.py": b"1/0"})
    hub.repositories[name] = repository
    return repository


def test_a_bundle_is_found_and_nothing_else_is_fetched(hub: Any) -> None:
    shelf(hub)
    path = find_bundle("hf://anna/waltzes")
    assert path.read_bytes() == TUNES
    assert Bundle.load(path).licence == Bundle.load(find_bundle("tunes")).licence
    assert [request.rpartition("/")[2] for request in hub.fetched()] == ["model.safetensors"]


def test_what_was_fetched_is_not_fetched_again_and_serves_without_network(
    hub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf(hub)
    first = find_bundle("hf://anna/waltzes")
    assert find_bundle("hf://anna/waltzes") == first
    assert len(hub.fetched()) == 1
    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        asked = len(hub.asked)
        assert find_bundle("hf://anna/waltzes") == first
        assert len(hub.asked) == asked
    hub.close()
    assert find_bundle("hf://anna/waltzes") == first  # no network, nobody said so


def test_a_revision_is_another_file(hub: Any) -> None:
    repository = shelf(hub)
    old = repository.refs["main"]
    repository.add({"model.safetensors": find_bundle("tunes+rl").read_bytes()}, branch="main")
    assert Bundle.load(find_bundle("hf://anna/waltzes")).prior_weights is not None
    assert Bundle.load(find_bundle(f"hf://anna/waltzes@{old}")).prior_weights is None
    repository.refs["feature/calm"] = old
    assert Bundle.load(find_bundle("hf://anna/waltzes@feature/calm")).prior_weights is None


def test_it_composes_under_its_name(hub: Any) -> None:
    shelf(hub)
    ours = load("tunes").compose(bars=2, seed=3)
    assert load("hf://anna/waltzes").compose(bars=2, seed=3).notes == ours.notes


def test_it_is_evaluated_and_tuned_under_its_address(hub: Any) -> None:
    shelf(hub)
    unnamed, named = parse_systems(["hf://anna/waltzes", "mine=hf://anna/waltzes@main"])
    assert [(one.name, one.kind) for one in (unnamed, named)] == [("waltzes", "bundle"), ("mine", "bundle")]
    assert Bundle.load(Path(unnamed.source)).policy == "likelihood"
    assert (
        load_tuning_inputs("hf://anna/waltzes", TuningOptions()).bundle.options
        == Bundle.load(find_bundle("tunes")).options
    )
    with pytest.raises(InputError, match="there is no hf://anna/nothing"):
        parse_systems(["hf://anna/nothing"])


def test_the_size_is_asked_before_anything_is_fetched(hub: Any) -> None:
    shelf(hub)
    hub.sizes["anna/waltzes"] = LARGEST + 1
    with pytest.raises(BundleError, match=r"hf://anna/waltzes has 500 MB, more than the 500 MB"):
        find_bundle("hf://anna/waltzes")
    hub.sizes["anna/waltzes"] = None
    with pytest.raises(BundleError, match="does not say how large"):
        find_bundle("hf://anna/waltzes")
    assert hub.fetched() == []


def test_what_lies_there_is_checked_as_any_bundle(hub: Any) -> None:
    repository = shelf(hub)
    repository.add({"model.safetensors": b"\x80\x04pickle"})
    with pytest.raises(BundleError, match="cannot be read as a bundle"):
        Bundle.load(find_bundle("hf://anna/waltzes"))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("hf://anna/nothing", "there is no hf://anna/nothing, or it is private"),
        ("hf://anna/secret", "there is no hf://anna/secret, or it is private"),
        ("hf://anna/gated", "given only to those whom its owner lets"),
        ("hf://anna/waltzes@v9", "hf://anna/waltzes@v9 has no such revision"),
        ("hf://anna/empty", "holds no model.safetensors"),
    ],
)
def test_each_refusal_is_a_sentence_and_advice(hub: Any, address: str, said: str) -> None:
    shelf(hub)
    shelf(hub, "anna/secret", private=True)
    shelf(hub, "anna/gated", gated=True)
    empty = shelf(hub, "anna/empty")
    empty.commits[empty.refs["main"]].clear()
    with pytest.raises(InputError) as caught:
        find_bundle(address)
    assert said in caught.value.text
    assert "\n" not in caught.value.text + caught.value.hint
    assert caught.value.hint


def test_a_private_one_is_given_to_whom_it_belongs(hub: Any, token: str) -> None:
    shelf(hub, "anna/secret", private=True)
    assert find_bundle("hf://anna/secret").read_bytes() == TUNES


def test_no_network_and_never_fetched(hub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(InputError, match="was not fetched yet, and the hub may not be asked"):
            find_bundle("hf://anna/waltzes")
    hub.broken = 503
    with pytest.raises(InputError, match="the hub answered 503 for hf://anna/waltzes"):
        find_bundle("hf://anna/waltzes")
    hub.close()
    with pytest.raises(InputError, match=r"the hub cannot be reached for hf://anna/waltzes \(ConnectError\)"):
        find_bundle("hf://anna/waltzes")


@pytest.mark.parametrize(
    "address",
    [
        "hf://", "hf://anna", "hf://anna/", "hf:///waltzes", "hf://anna/../etc", "hf://../../etc/passwd", "hf://a/b/c",
        "hf://anna/wal tzes", "hf://anna/waltzes@", "hf://anna/waltzes@../../x", "hf://anna/waltzes@/etc",
        "hf://anna/waltzes@a//b", "hf://anna/waltzes@x.lock", "hf://anna/waltzes@.git", "hf://anna/waltzes@a/.b",
        "hf://anna/--x", "hf://anna/x.git", "hf://anna/wältzer", "hf://anna/waltzes\n", "hf://anna/waltzes?x=1",
        "hf://anna/waltzes@-x", "hf://" + "a" * 60 + "/" + "b" * 60, "hf://anna/waltzes@" + "a" * 300, "hf://anna/a\0b",
        "hf://evil.example:80/x", "hf://anna@evil/x", "hf://.anna/x", "hf://anna/x.",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused_unasked(hub: Any, address: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_bundle(address)
    assert "hf://USER/NAME" in caught.value.hint
    assert hub.asked == []


@pytest.mark.parametrize("address", ["hf://a/b", "hf://Anna-1/Wal.tzes_2@refs/pr/1", "hf://a/b@v1.0+rl"])
def test_names_that_the_hub_has_are_read_and_written(address: str) -> None:
    assert str(HubRepo.parse(address)) == address


def test_without_the_library_there_is_a_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingError) as caught:
        find_bundle("hf://anna/waltzes")
    assert caught.value.hint == "pip install 'cantilena[hub]'"


def test_progress_bars_are_as_they_were(hub: Any, capfd: pytest.CaptureFixture[str]) -> None:
    shelf(hub)
    before = huggingface_hub.utils.are_progress_bars_disabled()
    fetch_bundle("hf://anna/waltzes", endpoint=hub.url + "/")
    assert huggingface_hub.utils.are_progress_bars_disabled() == before
    said = capfd.readouterr()
    assert said.out == ""
    assert said.err.strip() == f"Fetching hf://anna/waltzes ({len(TUNES) / 1e6:.1f} MB)"


def test_a_cache_that_cannot_be_written_is_told(hub: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shelf(hub)
    (tmp_path / "taken").write_text("a file where a folder should be")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "taken"))
    with pytest.raises(CantilenaError) as caught:
        find_bundle("hf://anna/waltzes")
    assert "cannot keep hf://anna/waltzes" in caught.value.text
