"""MIDI files: which are refused and why, and the others against an independent reader."""

from __future__ import annotations

import io
import os
import random
import struct

import mido
import numpy as np
import pytest

from cantilena.errors import ScoreError
from cantilena.io import READABLE, read_safely, read_score
from cantilena.io.midi.reader import read_midi
from cantilena.music import Key, Meter


def number(value):
    digits = [value & 127]
    while value := value >> 7:
        digits.append(value & 127 | 128)
    return bytes(reversed(digits))


def track(*events, closed=True):
    """A track of (delta, message bytes)."""
    data = b"".join(number(delta) + message for delta, message in events) + (b"\0\xff\x2f\0" if closed else b"")
    return b"MTrk" + struct.pack(">I", len(data)) + data


def midi(*tracks, kind=1, division=480):
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division) + b"".join(tracks)


def on(pitch, velocity=64, channel=0):
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch, channel=0):
    return bytes([0x80 | channel, pitch, 0])


def meta(kind, content):
    return bytes([0xFF, kind]) + number(len(content)) + content


TUNE = ((0, on(60)), (480, off(60)), (0, on(62)), (480, off(62)))
GOOD = midi(track(*TUNE))

REFUSED = {
    "empty": (b"", "it is empty"),
    "text": (b"%PDF-1.7 once upon a time", "it is not a MIDI file"),
    "one byte": (b"M", "it is not a MIDI file"),
    "head cut short": (GOOD[:11], "it is cut short in its header"),
    "track cut short": (GOOD[:-6], "it is cut short in track 1"),
    "a length that lies": (GOOD[:14] + b"MTrk\xff\xff\xff\xff" + GOOD[22:], "it is cut short in track 1"),
    "tracks missing": (b"MThd" + struct.pack(">IHHH", 6, 1, 5, 480) + track(*TUNE), "it is cut short: 1 of its 5"),
    "no tracks": (midi(), "it has no notes"),
    "no notes": (midi(track((0, meta(3, b"silence")))), "it has no notes"),
    "division 0": (midi(track(*TUNE), division=0), "its quarter note has no length (division 0)"),
    "SMPTE": (midi(track(*TUNE), division=0xE728), "its time is in frames of film (SMPTE)"),
    "format 2": (midi(track(*TUNE), kind=2), "it holds independent patterns (MIDI format 2)"),
    "format 7": (midi(track(*TUNE), kind=7), "it is of MIDI format 7"),
    "tempo 0": (midi(track((0, meta(0x51, b"\0\0\0")), *TUNE)), "it has a tempo of zero"),
    "tempo of one byte": (midi(track((0, meta(0x51, b"\5")), *TUNE)), "it is damaged: an event has a length"),
    "notes that never end": (midi(track((0, on(60)), (9, on(62)))), "its notes never end"),
    "pitch 200": (midi(track((0, bytes([0x90, 200, 64])), (9, off(60)))), "it is damaged: an event has a value over"),
    "no status": (midi(track((0, bytes([60, 64])))), "it is damaged: an event does not say what it is"),
    "cut in an event": (midi(track((0, on(60)), (9, b"\x90\x3c"), closed=False)), "it is damaged: an event is cut"),
    "clock byte": (midi(track((0, b"\xf8"), *TUNE)), "it is damaged: there is a byte 0xf8"),
    "lasts for months": (midi(track(*[(2**28 - 1, on(60)), (9, off(60))] * 9)), "it lasts more than 100000 quarter"),
    "RIFF without MIDI": (b"RIFF\x08\0\0\0RMIDlist\0\0\0\0", "it is a RIFF file without MIDI"),
    "RIFF of sound": (b"RIFF\x08\0\0\0WAVEdata\0\0\0\0", "it is not a MIDI file"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name):
    content, reason = REFUSED[name]
    with pytest.raises(ScoreError) as caught:
        read_midi(content)
    assert caught.value.text.startswith(reason)
    assert caught.value.hint
    assert "\n" not in caught.value.text + caught.value.hint


def columns(part):
    return [part.onset.tolist(), part.duration.tolist(), part.pitch.tolist()]


def control(controller, channel=0):
    return bytes([0xB0 | channel, controller, 0])


@pytest.mark.parametrize("controller", [120, 123, 124, 125, 126, 127])
def test_all_sound_and_all_notes_off_end_the_notes_of_their_channel(controller):
    events = [
        (0, on(60)),
        (0, on(64)),
        (0, on(67, channel=1)),
        (240, control(controller)),
        (240, on(60)),
        (480, off(60)),
    ]
    score = read_midi(midi(track(*events, (0, off(64)), (0, off(67, channel=1)))))
    assert [columns(part) for part in score.parts] == [[[0, 0, 480], [240, 240, 480], [60, 64, 60]], [[0], [960], [67]]]
    assert score.lost == 0


def test_all_notes_off_holds_for_the_channel_in_other_tracks():
    conductor = track((240, control(123)), (0, control(123, channel=1)), (960, control(123)))
    score = read_midi(midi(conductor, track(*TUNE), track((0, on(48, channel=1)), (0, on(50, channel=2)))))
    assert [columns(part) for part in score.parts] == [[[0, 480], [240, 480], [60, 62]], [[0], [240], [48]]]
    assert score.lost == 1


@pytest.mark.parametrize("controller", [1, 64, 119, 121, 122])
def test_other_controllers_end_nothing(controller):
    (part,) = read_midi(midi(track((0, on(60)), (240, control(controller)), (240, off(60))))).parts
    assert columns(part) == [[0], [480], [60]]


def test_a_plain_file():
    (part,) = read_midi(GOOD).parts
    assert columns(part) == [[0, 480], [480, 480], [60, 62]]


@pytest.mark.parametrize(
    "content",
    [
        b"RIFF" + struct.pack("<I", len(GOOD) + 12) + b"RMIDdata" + struct.pack("<I", len(GOOD)) + GOOD,
        midi(track(*TUNE, closed=False)),
        midi(track(*TUNE), kind=0),
        b"MThd" + struct.pack(">IHHHH", 8, 1, 1, 480, 0) + track(*TUNE),
        b"MThd" + struct.pack(">IHHH", 6, 1, 1, 480) + b"XFIH\0\0\0\4abcd" + track(*TUNE),
        GOOD + b"trailing junk",
        midi(track((0, b"\xf0\3ab\xf7"), (0, b"\xf7\2ab"), *TUNE)),
        midi(track((0, meta(0x59, b"\x20\5")), (0, meta(0x58, b"\0\x09\x18\x08")), *TUNE)),
        midi(track((0, on(60)), (480, bytes([60, 0])), (0, bytes([62, 64])), (480, bytes([62, 0])))),
    ],
    ids=["RIFF", "no end", "format 0", "long head", "other chunk", "junk", "sysex", "odd key and meter", "running"],
)
def test_what_is_odd_but_whole_is_read_as_the_plain_file(content):
    score = read_midi(content)
    assert columns(score.parts[0]) == [[0, 480], [480, 480], [60, 62]]
    assert score.meters == score.keys == ()


def test_notes_that_never_end_are_lost_and_counted():
    score = read_midi(midi(track((0, on(60)), (9, on(62)), (9, off(62)), (0, on(62)))))
    assert columns(score.parts[0]) == [[9], [9], [62]]
    assert score.lost == 2


def test_tempo_meter_key_title_and_names():
    head = track(
        (0, meta(3, "Suite \u2014 no. 1\n".encode())),
        (0, meta(0x51, (500_000).to_bytes(3, "big"))),
        (0, meta(0x58, b"\3\3\x18\x08")),
        (0, meta(0x59, b"\xfd\1")),
        (960, meta(0x51, (1_000_000).to_bytes(3, "big"))),
    )
    drums = track((0, meta(3, b"kit")), (0, on(40, channel=9)), (9, off(40, channel=9)))
    voice = track((0, meta(3, "M\xe9lodie".encode("latin-1"))), *TUNE)
    score = read_midi(midi(head, drums, voice))
    assert score.title == "Suite \u2014 no. 1"
    assert score.tempos == ((0, 120.0), (960, 60.0))
    assert score.meters == ((0, Meter(3, 8)),)
    assert score.keys == ((0, Key.parse("C minor")),)
    assert not score.keys_are_explicit
    assert [(part.name, part.is_drums, part.track) for part in score.parts] == [("kit", True, 1), ("Mélodie", False, 2)]


def test_channels_of_a_track_are_parts_that_know_their_track():
    both = track((0, on(60)), (0, on(48, channel=1)), (480, off(60)), (0, off(48, channel=1)))
    parts = read_midi(midi(both, kind=0)).parts
    assert [(part.pitch.tolist(), part.track) for part in parts] == [([60], 0), ([48], 0)]


def random_file(seed):
    """A file with overlaps, repeated pitches and chords, written by mido."""
    rng = random.Random(seed)
    file = mido.MidiFile(ticks_per_beat=rng.choice([24, 96, 480, 1000]))
    for _ in range(rng.randint(1, 3)):
        events = []
        for _ in range(rng.randint(1, 60)):
            start, pitch = rng.randrange(4000), rng.randrange(50, 60)
            events += [(start, 1, pitch), (start + rng.randint(1, 900), 0, pitch)]
        written, now = file.add_track(), 0
        for time, is_on, pitch in sorted(events):
            name = "note_on" if is_on else "note_off"
            written.append(mido.Message(name, note=pitch, time=time - now))
            now = time
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


def notes_by_mido(content):
    """(onset, end, pitch) a track, first begun, first ended."""
    tracks = []
    for messages in mido.MidiFile(file=io.BytesIO(content), clip=True).tracks:
        now, sounding, notes = 0, {}, []
        for message in messages:
            now += message.time
            if message.type == "note_on" and message.velocity:
                sounding.setdefault((message.channel, message.note), []).append(now)
            elif message.type in ("note_on", "note_off") and sounding.get((message.channel, message.note)):
                notes.append((sounding[message.channel, message.note].pop(0), now, message.note))
        if notes:
            tracks.append(sorted(notes))
    return tracks


def notes_by_us(content):
    return [
        sorted(zip(part.onset.tolist(), (part.onset + part.duration).tolist(), part.pitch.tolist(), strict=True))
        for part in read_midi(content).parts
    ]


@pytest.mark.parametrize("seed", range(20))
def test_random_files_as_mido_reads_them(seed):
    content = random_file(seed)
    assert notes_by_us(content) == notes_by_mido(content)


def test_piano_pieces_as_mido_reads_them(shared):
    for path in sorted((shared / "data/piano-midi").rglob("*.mid"))[::60]:
        content = path.read_bytes()
        assert notes_by_us(content) == notes_by_mido(content), path.name
        tempos = [message.tempo for message in mido.MidiFile(path, clip=True).tracks[0] if message.type == "set_tempo"]
        assert read_midi(content).tempos[-1][1] == pytest.approx(mido.tempo2bpm(tempos[-1]))


@pytest.mark.parametrize("seed", range(40))
def test_mutated_bytes_are_read_or_refused(seed):
    rng = random.Random(seed)
    content = bytearray(random_file(seed))
    for _ in range(rng.randint(1, 6)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    try:
        score = read_midi(bytes(content[: rng.randint(len(content) // 2, len(content))]))
    except ScoreError:
        return
    assert all((part.duration >= 0).all() and (part.onset >= 0).all() for part in score.parts)
    assert all((np.diff(part.onset) >= 0).all() for part in score.parts)


def test_a_hundred_thousand_notes():
    content = midi(track(*[event for n in range(100_000) for event in ((0, on(n % 128)), (60, off(n % 128)))]))
    assert len(read_midi(content).parts[0]) == 100_000


def test_five_thousand_tracks():
    assert len(read_midi(midi(*[track(*TUNE)] * 5000)).parts) == 5000


def test_too_many_tracks_and_notes_are_refused(monkeypatch):
    monkeypatch.setattr("cantilena.io.midi.reader._MAX_TRACKS", 2)
    with pytest.raises(ScoreError, match="it has 3 tracks"):
        read_midi(midi(*[track(*TUNE)] * 3))
    monkeypatch.setattr("cantilena.io.midi.reader._MAX_NOTES", 3)
    with pytest.raises(ScoreError, match="it has 4 notes"):
        read_midi(midi(*[track(*TUNE)] * 2))


def test_what_is_not_a_regular_file_is_refused(tmp_path):
    folder, pipe, large, loop = (tmp_path / name for name in ("x.mid", "pipe.mid", "large.mid", "loop.mid"))
    folder.mkdir()
    os.mkfifo(pipe)
    with large.open("wb") as file:
        file.truncate(17 * 2**20)
    loop.symlink_to(loop)
    for path, reason in (
        (folder, "not an ordinary file"),
        (pipe, "not an ordinary file"),
        (large, "larger than 16 MB"),
        (loop, "cannot be opened"),
        (tmp_path / "missing.mid", "cannot be opened: No such file"),
        (tmp_path / "nul\0.mid", "cannot be opened"),
        (tmp_path / "tune.pdf", "is not a suffix of scores"),
    ):
        with pytest.raises(ScoreError, match=reason):
            read_score(path)


def test_untrusted_files_are_read_in_a_worker(tmp_path):
    path = tmp_path / "tune.MID"
    path.write_bytes(GOOD)
    (score,) = read_safely(path)
    assert columns(score.parts[0]) == [[0, 480], [480, 480], [60, 62]]
    path.write_bytes(GOOD[:-5])
    with pytest.raises(ScoreError) as caught:
        read_safely(path)
    assert caught.value.text == f"cannot read {path}: it is cut short in track 1"
    assert caught.value.hint


def test_suffixes():
    assert {".mid", ".midi", ".musicxml", ".mxl", ".abc", ".krn"} <= set(READABLE)
