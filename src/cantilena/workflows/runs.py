"""A run that starts anew in a folder of an earlier one: nothing of that may pass for its own."""

from __future__ import annotations

from cantilena.runtime import RunFolder


def clear_earlier(run: RunFolder, *patterns: str) -> None:
    """Take away an earlier run's checkpoints and results, unless this run goes on with them.

    Without it a forced run that is killed before its first checkpoint would be resumed from the earlier run's.

    Args:
        run: the folder and whether an unfinished run goes on there.
        patterns: which files, relative to the folder; others, which may be anybody's, stay.
    """
    if run.resumed:
        return
    for pattern in patterns:
        for path in run.path.glob(pattern):
            if path.is_file() or path.is_symlink():
                path.unlink()
