"""Engraved scores and piano rolls."""
