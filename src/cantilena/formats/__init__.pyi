from .piano import render as render
from .piano import render_note as render_note
from .score import Part as Part
from .score import Score as Score
from .wav_writer import sound_bytes as sound_bytes
from .wav_writer import wav_bytes as wav_bytes
