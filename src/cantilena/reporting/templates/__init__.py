"""What a report looks like: HTML, style and behaviour."""
