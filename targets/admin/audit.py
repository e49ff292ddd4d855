"""The audit of permissions and credentials, to be searched."""

import re
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from targets.admin.lists import ReadOnlyAdmin
from targets.admin.people import SuperusersOnly
from targets.admin.typed_filters import DayFilter, RequestFilter, WhoFilter
from targets.models import AuditEntry
from targets.operations import Change

NUMBERED = re.compile(r"(?P<kind>\D+?) #(?P<number>[0-9]{1,18})")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin, SuperusersOnly):
    """It tells of users and permissions, which are above the brands."""

    brand_path = None
    list_display = ("at", "by", "action", "about", "what", "origin")
    list_filter = ("action", "source", WhoFilter, DayFilter, RequestFilter)
    search_fields = ("name",)  # makes Django show the box; what is searched is below
    search_help_text = "What was changed, exactly: a name, or a kind and a number such as user #7."
    fields = ("at", "by", "action", "about", "what", "source", "address", "credential", "request_id")
    readonly_fields = ("about", "what")

    @admin.display(description="Of what")
    def about(self, entry: AuditEntry) -> str:
        number = f" #{entry.object_id}" if entry.object_id else ""
        return f"{entry.kind}{number} {entry.name}"

    @admin.display(description="What")
    def what(self, entry: AuditEntry) -> str:
        return "; ".join(str(Change(**change)) for change in entry.changes)

    @admin.display(description="From where")
    def origin(self, entry: AuditEntry) -> str:
        return f"{entry.get_source_display()} {entry.address}"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        if numbered := NUMBERED.fullmatch(term):
            return queryset.filter(kind=numbered["kind"], object_id=numbered["number"]), False
        return queryset.filter(name=term), False
