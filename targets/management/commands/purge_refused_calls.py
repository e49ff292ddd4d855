"""`manage.py purge_refused_calls`: forget what the API refused long ago."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from targets.operations import purge_refused_calls


class Command(BaseCommand):
    help = (
        "Remove the counts of refused calls that are older than REFUSED_CALLS_DAYS. Run it every day, unless "
        "close_cycles --follow runs; interrupted, run it again, also several at once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        first_kept = timezone.now().date() - timedelta(days=settings.REFUSED_CALLS_DAYS)
        self.stdout.write(f"Counts of refused calls removed: {sum(purge_refused_calls(before=first_kept))}.")
