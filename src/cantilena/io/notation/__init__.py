"""Notation formats: ABC, MusicXML and kern."""
