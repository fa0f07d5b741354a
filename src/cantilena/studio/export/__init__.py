"""Files to download: scores, sound, PDF."""
