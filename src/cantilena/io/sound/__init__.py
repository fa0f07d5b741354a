"""Sound: a modelled piano, expressive performance, WAV files."""
