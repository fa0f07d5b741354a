"""An exported model is the same model to ONNX Runtime, which knows nothing of ours."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from cantilena.errors import MissingError, UsageError
from cantilena.generation import SamplingOptions, sample
from cantilena.models import (
    CONDITIONS,
    METERS,
    Bars,
    Bundle,
    NetworkOptions,
    NGram,
    NGramOptions,
    NGramPart,
    OnnxNotes,
    SequenceModel,
    find_bundle,
    ngram_arrays,
    onnx_bytes,
    onnx_facts,
    weight_shapes,
)
from cantilena.models.onnx import export as onnx_model_file
from cantilena.music import Key, Meter
from cantilena.tokenizers import END, EventsEncoding, GridEncoding, NotesEncoding

GRID = GridEncoding()
BARS = Bars(np.array([16, 12, 5]), np.array([0, 4, 30]))
TOKENS = np.random.default_rng(0).integers(0, 4, (3, 50))
SMALL = NetworkOptions(width=12, embedding=10)
SHAPES = [
    replace(SMALL, core=core, layers=layers, look_back=(1, 2, 4, 8)[: layers - 1], repeat_features=repeat_features)
    for core, repeat_features in (("lstm", 0), ("gru", 2), ("rnn", 0))
    for layers in (1, 2, 3)
] + [
    replace(SMALL, bar_position=False),
    replace(SMALL, bar_position=False, look_back=()),
    replace(SMALL, input="paper", window=6, layers=2),
    replace(SMALL, repeat_features=3, max_context=11),
    replace(SMALL, copy_head=True, max_context=11),
    replace(SMALL, attention=4, max_context=11),
    replace(SMALL, core="gru", layers=2, copy_head=True, attention=6, repeat_features=3, max_context=20, look_back=()),
]


def bundle_of(options=SMALL, encoding=GRID, seed=1, scale=0.4, **more):
    rng = np.random.default_rng(seed)
    shapes = weight_shapes(options, len(encoding.vocabulary))
    weights = {name: (scale * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    return Bundle(options, weights, encoding.description(), **more)


def tuned(policy, options=SMALL):
    return bundle_of(options, policy=policy, prior_weights=bundle_of(options, seed=2).weights)


class Exported:
    """An ONNX file as a sequence model, driven by what it says of itself."""

    def __init__(self, content):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        self.session = onnxruntime.InferenceSession(content, options)
        self.facts = self.session.get_modelmeta().custom_metadata_map
        self.inputs = [port.name for port in self.session.get_inputs()]
        self.vocabulary_size, self.uses_bars = len(json.loads(self.facts["vocabulary"])), True

    def silence(self, melodies, bars):
        columns = [CONDITIONS.index(kind) for kind in json.loads(self.facts["told"])]
        given = {"steps_per_bar": bars.steps_per_bar, "pickup": bars.pickup, "told": bars.condition_ids[:, columns]}
        given = {name: value for name, value in given.items() if name in self.inputs}
        for port in self.session.get_inputs():
            if port.name.startswith("state_"):
                assert port.shape[0] == "melodies"
                kind = np.float32 if "float" in port.type else np.int64
                given[port.name] = np.zeros([melodies, *port.shape[1:]], kind)
        assert {*given, "tokens"} == set(self.inputs)
        return given

    def call(self, tokens, given):
        log_probs, *after = self.session.run(None, {**given, "tokens": tokens})
        states = [name for name in self.inputs if name.startswith("state_")]
        after_names = [port.name for port in self.session.get_outputs()[1:]]
        assert after_names == [name.replace("state_", "next_") for name in states]
        return log_probs, given | dict(zip(states, after, strict=True))

    def start(self, melodies, *, bars=None):
        given = self.silence(melodies, bars or Bars.common_time(melodies))
        return self.step(np.full(melodies, int(self.facts["start"])), given)

    def step(self, tokens, state):
        log_probs, state = self.call(np.asarray(tokens)[:, None], state)
        return log_probs[:, 0], state

    def log_probs(self, tokens, *, bars=None, at_once=None):
        given = self.silence(len(tokens), bars or Bars.common_time(len(tokens)))
        before = np.concatenate([np.full((len(tokens), 1), int(self.facts["start"])), tokens[:, :-1]], axis=1)
        parts = []
        for first in range(0, before.shape[1], at_once or before.shape[1]):
            part, given = self.call(before[:, first : first + (at_once or before.shape[1])], given)
            parts.append(part)
        return np.concatenate(parts, axis=1)


def same(found, expected):
    np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    "options", SHAPES, ids=lambda o: f"{o.core}-{o.layers}-{o.input}-{o.repeat_features}-{o.attention}"
)
def test_every_network_gives_the_same_probabilities_in_one_call_or_many(options):
    bundle = bundle_of(options)
    content = onnx_bytes(bundle)
    onnx.checker.check_model(content, full_check=True)
    exported, expected = Exported(content), bundle.model().log_probs(TOKENS, bars=BARS)
    for at_once in (1, 7, 50):
        same(exported.log_probs(TOKENS, bars=BARS, at_once=at_once), expected)


def test_what_a_network_is_told_is_told_to_the_graph_too():
    styles = ("Jig", "Reel")
    bundle = bundle_of(replace(SMALL, conditions=("key", "meter", "style"), styles=styles))
    exported = Exported(onnx_bytes(bundle))
    assert onnx_facts(bundle)["told"] == ["key", "meter", "style"]
    assert onnx_facts(bundle)["told_values"]["key"][:3] == ["C", "Db", "D"]
    assert onnx_facts(bundle)["told_values"]["meter"] == list(METERS)
    assert json.loads(exported.facts["told_values"])["style"] == ["Jig", "Reel"]
    bars = Bars.from_meter(Meter(6, 8), melodies=3, ticks_per_step=6, key=Key.parse("D minor"), style=2)
    for known in (bars, bars.without_conditions()):
        same(exported.log_probs(TOKENS, bars=known), bundle.model().log_probs(TOKENS, bars=known))
    assert (
        np.abs(exported.log_probs(TOKENS, bars=bars) - exported.log_probs(TOKENS, bars=bars.without_conditions())).max()
        > 0.1
    )


@pytest.mark.parametrize("policy", ["likelihood", "softmax-q", "argmax-q", "psi", "g"])
def test_the_probabilities_are_the_policys(policy):
    for options in (
        SMALL,
        replace(SMALL, input="paper", window=5),
        replace(SMALL, core="gru", attention=4, max_context=9),
    ):
        bundle = tuned(policy, options)
        content = onnx_bytes(bundle)
        onnx.checker.check_model(content, full_check=True)
        expected = bundle.model().log_probs(TOKENS, bars=BARS)
        exported = Exported(content)
        assert exported.facts["policy"] == policy
        for at_once in (1, 50):
            same(exported.log_probs(TOKENS, bars=BARS, at_once=at_once), expected)


def untuned(bundle):
    return replace(bundle, weights=bundle.prior_weights, prior_weights=None, policy="likelihood")


@pytest.mark.quick_cases(4)
@pytest.mark.parametrize(
    "name", ["tunes+rl-tuner", "tunes+rl-tuner before", "tunes", "tunes+rl", "classical", "classical+rl", "piano"]
)
def test_bundles_that_ship_judge_and_compose_the_same_melodies(name):
    bundle = Bundle.load(find_bundle(name.removesuffix(" before")))
    bundle = untuned(bundle) if name.endswith(" before") else bundle
    kind = OnnxNotes if bundle.options.durations else Exported
    model, exported = bundle.model(), kind(onnx_bytes(bundle))
    sixteenth = bundle.encoding.ticks_per_step // bundle.encoding.ticks_per_count
    uniforms = np.random.default_rng(3).random((4, 160))
    bars = Bars(sixteenth * np.array([16, 12, 24, 16]), sixteenth * np.array([0, 4, 0, 12]))
    told = [[0] * 6, [1, 1, 3, 1, 0, 0], [1, len(bundle.options.modes), 8, 2, 1, 3], [1, 2, 1, 0, 1, 4]]
    told = replace(bars, condition_ids=np.array(told), length=sixteenth * np.array([0, 64, 96, 128]))
    for given in (bars, told):
        ours, theirs = (sample(one, uniforms, bars=given) for one in (model, exported))
        assert theirs.tokens.tolist() == ours.tokens.tolist()
        np.testing.assert_allclose(theirs.log_likelihood, ours.log_likelihood, atol=1e-3)
        same(exported.log_probs(ours.tokens, bars=given), model.log_probs(ours.tokens, bars=given))
    greedy = [
        sample(one, uniforms[:1], options=SamplingOptions(greedy=True)).tokens.tolist() for one in (model, exported)
    ]
    assert greedy[0] == greedy[1]


def test_the_longest_bars_and_the_longest_look_back():
    bundle = bundle_of(NetworkOptions(width=4, embedding=4, look_back=(1, 8)), GridEncoding(steps_per_quarter=24))
    bar = np.random.default_rng(1).integers(0, 38, (2, 100))
    tokens = np.concatenate([np.tile(bar[:, :96], 9), bar], axis=1)
    bars = Bars(np.array([96, 95]), np.array([0, 3]))
    same(Exported(onnx_bytes(bundle)).log_probs(tokens, bars=bars), bundle.model().log_probs(tokens, bars=bars))


def test_melodies_longer_than_memory_and_matches():
    options = NetworkOptions(width=4, embedding=4, repeat_features=2, copy_head=True, look_back=(), max_context=150)
    tokens = np.stack([np.tile([14, 1, 16], 100), np.full(300, 14), np.random.default_rng(0).integers(0, 3, 300)])
    bundle = bundle_of(options)
    exported, expected = Exported(onnx_bytes(bundle)), bundle.model().log_probs(tokens)
    for at_once in (64, 300):
        same(exported.log_probs(tokens, at_once=at_once), expected)


def test_huge_scores_do_not_overflow():
    for options in (SMALL, replace(SMALL, copy_head=True, attention=4, max_context=9)):
        for policy in ("likelihood", "argmax-q"):
            bundle = bundle_of(options, scale=1e4, policy=policy)
            assert np.isfinite(Exported(onnx_bytes(bundle)).log_probs(TOKENS)).all()


def test_the_file_says_what_a_stranger_needs():
    bundle = Bundle.load(find_bundle("tunes+rl-tuner"))
    facts = Exported(onnx_bytes(bundle)).facts
    said = {
        name: value if name in ("cantilena", "how_to", "licence", "policy") else json.loads(value)
        for name, value in facts.items()
    }
    assert said == onnx_facts(bundle)
    assert said["vocabulary"] == list(GRID.vocabulary)
    assert said["pitches"] == [[], [], *([pitch] for pitch in range(48, 84))]
    assert (said["start"], said["step_ticks"], said["plain_keys"]) == (38, 6, True)
    assert said["encoding"] == GRID.description()
    assert said["tuned_in"] == {"key": "", "meter": "4/4"}
    assert said["licence"] == bundle.licence
    assert list(said["inputs"]) == ["tokens", "steps_per_bar", "pickup", "told"]
    assert list(said["state"]) == ["state_clock", "state_heard", "state_matches", "state_h", "state_c"]
    assert said["columns"][:3] == ["token before", "place in the bar", "steps in the bar, less one"]
    assert len(said["columns"]) == 11 + 4 + 3  # two echoes, each with its match; three conditions
    model = onnx.load_from_string(onnx_bytes(bundle))
    assert (model.producer_name, model.producer_version) == ("cantilena", said["cantilena"])
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 17)]  # what browsers have read since 2022
    assert model.ir_version == 8
    assert all(port.doc_string for port in [*model.graph.input, *model.graph.output])


def test_chords_are_told_as_pitches():
    encoding = EventsEncoding(("C4", "D4", "0.4.7"))
    facts = onnx_facts(bundle_of(encoding=encoding))
    assert facts["pitches"] == [[60], [62], [60, 64, 67]]
    assert facts["vocabulary"] == ["C4", "D4", "0.4.7"]


def test_the_same_bundle_gives_the_same_bytes_wherever_it_lies(tmp_path):
    bundle = bundle_of(replace(SMALL, repeat_features=2, attention=4))
    contents = []
    for place in (tmp_path / "here" / "a.safetensors", tmp_path / "ça et là" / "b.safetensors"):
        bundle.save(place)
        script = "import sys, pathlib; from cantilena.models import Bundle, onnx_bytes; "
        script += "sys.stdout.buffer.write(onnx_bytes(Bundle.load(pathlib.Path(sys.argv[1])))); "
        script += "assert 'torch' not in sys.modules and 'numba' not in sys.modules"
        done = subprocess.run([sys.executable, "-c", script, str(place)], capture_output=True, check=True)
        contents.append(done.stdout)
    assert contents[0] == contents[1] == onnx_bytes(bundle)
    assert str(tmp_path).encode() not in contents[0]


def test_hostile_names_and_records_do_no_harm():
    bundle = bundle_of(
        licence="\ud800 ©\0\n\x1b[31m {}" + "x" * 100_000,
        provenance={"tuning": {"key": "H flat", "meter": 7, "out": "/somewhere/else"}, "corpus": {"name": "/a/b"}},
    )
    content = onnx_bytes(bundle)
    facts = Exported(content).facts
    assert facts["licence"].startswith("\\ud800 ©")
    assert json.loads(facts["tuned_in"]) == {"key": "", "meter": ""}
    assert b"/somewhere" not in content
    assert b"/a/b" not in content
    odd = onnx_facts(bundle_of(provenance={"tuning": "not a record"}))
    assert odd["tuned_in"] == {"key": "", "meter": ""}


def test_wrong_tokens_and_bars_are_errors_and_not_melodies():
    exported = Exported(onnx_bytes(bundle_of()))
    given = exported.silence(1, Bars.common_time(1))
    for token in (39, -40, 2**40):
        with pytest.raises(Exception, match="out of data bounds"):
            exported.call(np.array([[token]]), given)
    with pytest.raises(Exception, match="out of data bounds"):
        exported.call(np.array([[38]]), given | {"steps_per_bar": np.array([97])})
    log_probs, _ = exported.call(np.array([[38]]), given | {"steps_per_bar": np.array([0])})  # no division by zero
    assert np.isfinite(log_probs).all()


NOTES, CHORDS = NotesEncoding(), NotesEncoding(chords=((), (5, 9), (3,)))
OF_NOTES = replace(SMALL, look_back=(1, 3), durations=NOTES.durations, pitches=36)


def notes_of(encoding, melodies=3, notes=9, seed=8):
    """Tokens of random notes with rests, the last melody shorter and all padded with `end`."""
    rng, count = np.random.default_rng(seed), len(encoding.parts)
    tokens = np.full((melodies, count * (notes + 1)), END)
    for row in range(melodies):
        for note in range(notes - 3 * (row == melodies - 1)):
            event = [int(rng.integers(1, 12)), int(rng.integers(*encoding.parts[1]))]
            chord = encoding.parts[2][0] + (event[1] % 3 if event[1] != encoding.rest else 0) if count == 3 else 0
            tokens[row, count * note : count * note + count] = [*event, chord][:count]
    return tokens


NOTE_BARS = Bars(np.array([96, 72, 250]), np.array([24, 0, 3]))


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(
    ("options", "encoding"),
    [
        (replace(OF_NOTES, conditions=("mode", "meter"), modes=("major", "minor", "dorian")), NOTES),
        (replace(OF_NOTES, core="gru", layers=2, look_back=()), NOTES),
        (replace(OF_NOTES, core="rnn", layers=3, max_context=5, without=("span", "place")), NOTES),
        (replace(OF_NOTES, plan=True), NOTES),
        (replace(OF_NOTES, conditions=("key", "meter")), CHORDS),
    ],
    ids=["lstm", "gru", "rnn", "plan", "chords"],
)
def test_a_network_of_notes_gives_the_same_probabilities(options, encoding):
    bundle, tokens = bundle_of(options, encoding), notes_of(encoding)
    content = onnx_bytes(bundle)
    onnx.checker.check_model(content, full_check=True)
    exported, model = OnnxNotes(content), bundle.model()
    assert isinstance(exported, SequenceModel)
    assert content == onnx_bytes(bundle)
    known, plan = np.tile([3, 1, 2, 0], (3, 1)), np.tile([[1, 0, 3, 1], [2, 1, 2, 0], [1, 2, 0, 2]], (3, 1, 1))
    for bars in (NOTE_BARS, replace(NOTE_BARS, length=encoding.ticks(tokens)[:, -1], condition_ids=known, plan=plan)):
        same(exported.log_probs(tokens, bars=bars), model.log_probs(tokens, bars=bars))
        log_p, state = exported.start(3, bars=bars)
        expected, other = model.start(3, bars=bars)
        for step in range(tokens.shape[1]):
            np.testing.assert_allclose(log_p, expected, atol=1e-4)
            log_p, state = exported.step(tokens[:, step], state)
            expected, other = model.step(tokens[:, step], other)
    np.testing.assert_allclose(exported.start(2)[0], model.start(2)[0], atol=1e-4)


@pytest.mark.parametrize("policy", ["softmax-q", "argmax-q", "psi", "g"])
def test_policies_of_notes(policy):
    prior = bundle_of(OF_NOTES, NOTES, seed=2).weights
    bundle, tokens = bundle_of(OF_NOTES, NOTES, policy=policy, prior_weights=prior), notes_of(NOTES)
    content = onnx_bytes(bundle)
    onnx.checker.check_model(content, full_check=True)
    found, expected = (model.log_probs(tokens, bars=NOTE_BARS) for model in (OnnxNotes(content), bundle.model()))
    np.testing.assert_allclose(np.exp(found), np.exp(expected), atol=1e-5)


def test_the_file_of_notes_says_what_a_stranger_needs():
    bundle = bundle_of(replace(OF_NOTES, conditions=("key", "mode"), modes=("major", "dorian"), plan=True), NOTES)
    facts = Exported(onnx_bytes(bundle)).facts
    said = {
        name: value if name in ("cantilena", "how_to", "licence", "policy") else json.loads(value)
        for name, value in facts.items()
    }
    assert said == onnx_facts(bundle)
    assert said["features"]["durations"] == list(NOTES.durations)
    assert said["features"]["modes"] == said["told_values"]["mode"] == ["major", "dorian"]
    assert "OnnxNotes" in said["how_to"]
    assert list(said["inputs"]) == ["rows", "parts", "bounds", "begins"]
    assert list(said["state"]) == ["state_h", "state_c"]
    assert said["encoding"] == NOTES.description()
    assert said["pitches"][17:20] == [[48], [49], [50]]
    assert said["pitches"][53] == said["pitches"][0] == []
    model = onnx.load_from_string(onnx_bytes(bundle))
    sizes = {port.name: port.type.tensor_type.shape.dim[-1].dim_value for port in model.graph.input}
    assert (sizes["rows"], sizes["parts"]) == (len(said["columns"]), len(said["part_columns"]))
    assert all(port.doc_string for port in [*model.graph.input, *model.graph.output])


def test_other_files_are_no_networks_of_notes(monkeypatch):
    with pytest.raises(UsageError, match="holds no network of notes"):
        OnnxNotes(onnx_bytes(bundle_of()))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="onnxruntime"):
        OnnxNotes(b"")


def test_what_no_graph_holds_is_refused_in_a_sentence(monkeypatch):
    ngram = NGram.fit([np.array([0, 1, 2, 1])], vocabulary_size=38)
    counts, bundle = ngram_arrays(ngram), bundle_of()
    monkeypatch.setattr(onnx_model_file, "MAX_BYTES", 10_000)
    refused = [
        (Bundle(NGramOptions(), counts, GRID.description()), "is an n-gram"),
        (replace(bundle, ngram=NGramPart(NGramOptions(), counts, 0.5)), "blends a network with an n-gram"),
        (bundle, "numbers, and an ONNX file holds 2,500"),
    ]
    monkeypatch.setattr(onnx_model_file, "CORES", ("gru",))
    for one, text in refused[:2]:
        for ask in (onnx_bytes, onnx_facts):
            with pytest.raises(UsageError, match=text) as caught:
                ask(one)
            assert "name a network" in caught.value.hint
    with pytest.raises(UsageError, match="the core lstm cannot be exported"):
        onnx_bytes(bundle)
    monkeypatch.setattr(onnx_model_file, "CORES", ("lstm",))
    with pytest.raises(UsageError, match=refused[2][1]):
        onnx_bytes(bundle)


def test_a_grid_with_the_last_notes_is_refused():
    with pytest.raises(UsageError, match="given the last notes"):
        onnx_bytes(bundle_of(replace(SMALL, melodic=True)))


def test_without_the_library_the_advice_is_the_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError) as caught:
        onnx_bytes(bundle_of())
    assert caught.value.hint == "pip install 'cantilena[onnx]'"
