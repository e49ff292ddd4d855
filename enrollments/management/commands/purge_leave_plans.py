"""`manage.py purge_leave_plans`: forget the lists that staff uploaded long ago."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from enrollments.operations import purge_plans


class Command(BaseCommand):
    help = (
        "Remove uploaded lists of customers that are older than BULK_DAYS; receipts and the audit stay. Run it every "
        "day, unless close_cycles --follow runs; interrupted, run it again, also several at once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        removed = sum(purge_plans(before=timezone.now() - timedelta(days=settings.BULK_DAYS)))
        self.stdout.write(f"Rows of uploaded lists removed: {removed}.")
