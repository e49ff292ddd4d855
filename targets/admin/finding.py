"""One box for whatever support knows of a customer: it leads to him, or to a short list of whom it may mean."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_GET

from targets.admin.lists import CustomerSearch
from targets.brand_limits import brands_of
from targets.finding import MOST_FOUND, find_customers


class Finding(CustomerSearch):
    """The page behind the box of templates/admin/find_box.html."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_GET(self.find_view))
        return [path("find/", view, name="targets_customer_find"), *super().get_urls()]

    def find_view(self, request: HttpRequest) -> HttpResponse:
        self.refuse_unless_may_view(request)
        typed = request.GET.get("q", "").strip()
        found = find_customers(typed, brands_of(request.user))
        if len(found) == 1:
            return HttpResponseRedirect(reverse("admin:targets_customer_change", args=[found[0].customer.pk]))
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Find a customer",
            "typed": typed,
            "found": found[:MOST_FOUND],
            "has_more": len(found) > MOST_FOUND,
        }
        return TemplateResponse(request, "admin/targets/find.html", context)
