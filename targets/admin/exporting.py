"""What a list of the admin shows, with its search and filters, as a table to download."""

from collections.abc import Iterator
from html import unescape
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from targets.admin.csv_answer import csv_answer
from targets.operations import record_export

MOST_EXPORTED = 100_000  # rows; whoever needs more reads them over the API
AT_ONCE = 2_000  # rows loaded by one statement
TOO_MANY = f"More than {MOST_EXPORTED:,} rows: nothing was exported. Search or filter the list first."


class ExportedList(admin.ModelAdmin):
    """A button beside the list. By POST, as each export is written down: who took what, and how much of it."""

    change_list_template = "admin/exported_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.export_view))
        return [path("export/", view, name=f"{self._address()}_export"), *super().get_urls()]

    def _address(self) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The list of the same query. Its order, its rows and its columns are those of the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        to_list = reverse(f"admin:{self._address()}_changelist", current_app=self.admin_site.name)
        try:
            found: QuerySet[Any] = self.get_changelist_instance(request).queryset
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{to_list}?e=1")  # as Django's own list does
        ids = list(found.values_list("pk", flat=True)[: MOST_EXPORTED + 1])
        if len(ids) > MOST_EXPORTED:
            self.message_user(request, TOO_MANY, messages.ERROR)
            return HttpResponseRedirect(f"{to_list}?{request.GET.urlencode()}")
        name = str(self.opts.verbose_name_plural)
        record_export(name, rows=len(ids), query=query_told(request))
        columns = [each for each in self.get_list_display(request) if each != "action_checkbox"]
        return csv_answer(f"{name.replace(' ', '-')}.csv", self.exported(found, ids, columns))

    def exported(self, found: QuerySet[Any], ids: list[int], columns: list[Any]) -> Iterator[list[Any]]:
        yield [capfirst(str(label_for_field(each, self.model, self))) for each in columns]
        for start in range(0, len(ids), AT_ONCE):
            chunk = ids[start : start + AT_ONCE]
            loaded = {row.pk: row for row in found.filter(pk__in=chunk)}
            yield from ([self.exported_value(each, loaded[pk]) for each in columns] for pk in chunk if pk in loaded)

    def exported_value(self, column: Any, row: Any) -> Any:
        field, _, value = lookup_field(column, row, self)
        if field is not None and field.choices:
            return getattr(row, f"get_{field.name}_display")()
        return unescape(strip_tags(value)) if isinstance(value, SafeString) else value


def query_told(request: HttpRequest) -> str:
    """Without whom somebody has searched for: the audit is kept when that customer is erased."""
    query = request.GET.copy()
    if query.get(SEARCH_VAR):
        query[SEARCH_VAR] = "a customer"
    return query.urlencode()
