"""`manage.py purge_idempotency_keys`: forget what calls were answered longer ago than a repeat is promised to know."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from targets.operations import purge_answers


class Command(BaseCommand):
    help = (
        "Remove the answers to calls with an Idempotency-Key that are older than IDEMPOTENCY_HOURS. Run it every hour "
        "or every day; interrupted, run it again, also several at once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        before = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_HOURS)
        removed = sum(purge_answers(before=before))
        self.stdout.write(f"Answers removed: {removed}.")
