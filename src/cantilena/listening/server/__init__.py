"""Sittings: the listening test as people take it in a browser, one listener a sitting."""
