"""Create a listening study."""
