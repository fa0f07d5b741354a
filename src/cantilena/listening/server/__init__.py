"""The server of the listening test."""
