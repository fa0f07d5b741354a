"""Create listening studies and read their files."""
