"""The loop that every training runs: epoch after epoch, batch after batch, and a look at what is held out."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from cantilena.runtime import derived_seed, progress
from cantilena.training.course import Course, Learner
from cantilena.training.keeping import note
from cantilena.training.objectives import Lesson, Place, Precisely

AfterEpoch = Callable[[int, float], bool]
"""Told each epoch and its held-out loss; True ends the training there."""


def learn(
    course: Course[Learner],
    lesson: Lesson[Learner],
    held_out: Callable[[Learner], float],
    precisely: Precisely,
    save: Callable[[], None],
    *,
    quiet: bool,
    after_epoch: AfterEpoch | None = None,
) -> None:
    """Take a training from where it stands to its end.

    Dropout draws from torch's global generator, which is seeded anew for every batch: whoever calls gives it back.

    Args:
        course: what learns.
        lesson: what each batch teaches.
        held_out: the loss by which the best epoch is kept, nats a step; the same number in all processes.
        precisely: gives the context in which a forward pass computes.
        save: keeps a checkpoint.
        quiet: show no progress.
        after_epoch: may end the training early.
    """
    standing, options, network = course.standing, course.options, course.network
    whose = (course.processes.rank,) if course.processes.rank else ()  # each process leaves out other cells
    saved, total = time.monotonic(), options.epochs * lesson.each_epoch
    with progress("Training", total=total, unit="batches", quiet=quiet) as bar:
        bar.advance(standing.epoch * lesson.each_epoch + standing.batch)
        while not course.over:
            network.train()
            for batch in lesson.epoch(standing.epoch)[standing.batch :]:
                share = (standing.epoch * lesson.each_epoch + standing.batch) / total
                place = Place(standing.epoch, standing.batch, share)
                torch.manual_seed(derived_seed(options.seed, "dropout", place.epoch, place.batch, *whose))
                for loss, steps in lesson.losses(network, batch, place, precisely):
                    course.update(loss, steps, share)
                standing.batch += 1
                bar.advance(1, note(course))
                if time.monotonic() - saved > options.checkpoint_seconds:
                    save()
                    saved = time.monotonic()
            course.end_epoch(held_out(course.measured.eval()))
            if _ended(course, after_epoch):
                return


def _ended(course: Course[Learner], after_epoch: AfterEpoch | None) -> bool:
    """Whether whoever is told of the epoch ends the training: one in process 0, for all."""
    over = False
    if after_epoch is not None and course.processes.first:
        over = after_epoch(course.standing.epoch, course.standing.history[-1]["valid"])
    return course.processes.tell(over)
