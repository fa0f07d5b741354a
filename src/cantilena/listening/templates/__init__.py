"""The page that reports a listening test."""
