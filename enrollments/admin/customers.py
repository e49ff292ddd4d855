"""A customer's page with his enrolments: he belongs to targets, what he is enrolled in belongs here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from enrollments.admin.erasing import Erasing
from enrollments.admin.states import state, with_last_stay
from enrollments.models import Participation
from targets.admin.customers import CustomerAdmin
from targets.models import Customer

MOST_ENROLMENTS = 50

admin.site.unregister(Customer)


@admin.register(Customer)
class CustomerWithEnrolmentsAdmin(Erasing, CustomerAdmin):
    change_form_template = "admin/enrollments/customer.html"

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if obj is not None and request.user.has_perm("enrollments.view_participation"):
            participations = with_last_stay(
                Participation.objects.filter(customer=obj)
                .select_related("target__target_group", "brand")
                .order_by("-pk")
            )[: MOST_ENROLMENTS + 1]
            found = [(each, state(each)) for each in participations]
            context |= {"enrolments": found[:MOST_ENROLMENTS], "has_more_enrolments": len(found) > MOST_ENROLMENTS}
        can_erase = obj is not None and obj.erased_at is None and self.may(request, "targets.erase_customer")
        context |= {"can_erase": can_erase}
        return super().render_change_form(request, context, add, change, form_url, obj)
