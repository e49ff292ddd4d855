"""Counting large targets beforehand, so that their figures are at hand for whoever opens the page."""

from datetime import datetime

from enrollments.figures import counted
from enrollments.models import CountedTarget
from targets.models import Target


def count_figures(*, target: Target, at: datetime) -> None:
    """Keep the figures of `target` as they are; `at` says since when they may be out of date. Locks nothing."""
    CountedTarget.objects.update_or_create(target=target, defaults={"counted_at": at, "counts": counted(target)})
