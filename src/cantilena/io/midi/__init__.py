"""Standard MIDI Files."""
