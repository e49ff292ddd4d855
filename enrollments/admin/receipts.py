from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator

from enrollments.admin.history import OfParticipation, ParticipationGroupFilter
from enrollments.admin.strips import strip_of
from enrollments.admin.told import for_customer
from enrollments.admin.undoing import PERMISSION, UndoingPage
from enrollments.models import Receipt
from enrollments.receipts import LEAVING, account
from targets.admin.lists import SEARCH_HELP
from targets.admin.typed_filters import DayFilter, RequestFilter, WhoFilter
from targets.queries import as_id


class ActorFilter(WhoFilter):
    path = "actor"


class RecordedFilter(DayFilter):
    path = "recorded_at"


@admin.register(Receipt)
class ReceiptAdmin(UndoingPage, OfParticipation):
    list_display = ("__str__", "enrolment", "recorded_at", "source", "actor", "why")
    list_filter = ("kind", "source", "brand", ParticipationGroupFilter, ActorFilter, RecordedFilter, RequestFilter)
    list_select_related = ("participation__customer", "participation__target")
    search_help_text = f"{SEARCH_HELP[:-1]}; #4711 for the receipt of that number; or the id of a batch."
    change_form_template = "admin/enrollments/receipt.html"
    exclude = ("transaction_id", "snapshot")

    @admin.display(description="Reason")
    def why(self, receipt: Receipt) -> str:
        return Truncator(receipt.reason).chars(60)

    def matches(self, term: str, brands: Sequence[int] | None) -> Q:
        if term.startswith("#"):
            return Q(pk=as_id(term[1:]) or 0)
        try:
            return Q(batch_id=UUID(term))
        except ValueError:
            return super().matches(term, brands)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        found = account(obj)
        told = {
            "title": str(obj),
            "subtitle": None,
            "account": found,
            "strip": strip_of(found),
            "for_customer": for_customer(found),
            "zone": obj.participation.target.target_group.time_zone,
            "can_undo": obj.kind in LEAVING and self.may(request, PERMISSION),
            "undone_by": Receipt.objects.filter(undoes=obj).first(),
        }
        return super().render_change_form(request, context | told, add, change, form_url, obj)
