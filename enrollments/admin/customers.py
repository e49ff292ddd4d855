"""A customer's page with all that happened to him: he belongs to targets, what he is enrolled in belongs here."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from enrollments.admin.deeds import deeds
from enrollments.admin.erasing import Erasing
from enrollments.admin.person import programmes_of
from enrollments.timeline import Moment, timeline
from rewards.models import Grant
from targets.admin.customers import CustomerAdmin
from targets.models import Customer

MOST_GRANTS = 20

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
        if obj is not None:
            context |= {"title": str(obj), "subtitle": None, "is_erased": obj.erased_at is not None}
            context |= {"can_erase": obj.erased_at is None and self.may(request, "targets.erase_customer")}
        if obj is not None and not context["errors"] and request.user.has_perm("enrollments.view_participation"):
            context |= self.story(request, obj)
        return super().render_change_form(request, context, add, change, form_url, obj)

    def story(self, request: HttpRequest, customer: Customer) -> dict[str, Any]:
        """What whoever may see enrolments sees of one customer; activities only who may see those."""
        before = Moment.read(request.GET.get("before", ""))
        with_activities = request.user.has_perm("enrollments.view_activity")
        grants = list(
            Grant.objects.filter(customer=customer)
            .select_related("target__target_group", "level")
            .order_by("-granted_at", "-pk")[: MOST_GRANTS + 1]
        )
        return {
            "programmes": programmes_of(
                customer, request.GET.get("programmes", ""), partial(deeds, self.admin_site, request)
            ),
            "grants": grants[:MOST_GRANTS],
            "has_more_grants": len(grants) > MOST_GRANTS,
            "timeline": timeline(customer, before=before, with_activities=with_activities),
            "is_first_page": before is None,
            "zone": customer.brand.time_zone,
        }
