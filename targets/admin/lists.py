"""What the admin pages of all apps are made of: read-only rows, and lists that stay quick over millions of them."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from targets.models import TargetGroup
from targets.queries import as_id, customers_known_as

MOST_COUNTED = 10_000
GROUPS_OFFERED = 100

SEARCH_HELP = "A customer's number, external id or e-mail address, exactly."


class BoundedPaginator(Paginator):
    """Counts at most 10,001 rows, so that a list opens as quickly over millions; later pages are reached by search."""

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Model] = self.object_list  # type: ignore[assignment]  # the admin pages querysets only
        return rows.order_by().values("pk")[: MOST_COUNTED + 1].count()

    @property
    def is_bounded(self) -> bool:
        return self.count > MOST_COUNTED

    @property
    def most_counted(self) -> int:
        return MOST_COUNTED


class ConsoleAdmin(admin.ModelAdmin):
    """A list that never counts, sorts or joins more than it shows. Nothing is ever deleted."""

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = 0

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyAdmin(ConsoleAdmin):
    """What has happened, or what only an operation may change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):
    """The rows that make up the one shown, each leading to its own page."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class CustomerSearch(ConsoleAdmin):
    """Searches by customer, exactly and through indexes. `customer_path` leads from a row to its customer."""

    customer_path = "customer"
    search_fields = ("pk",)  # makes Django show the box; what is searched is below
    search_help_text = SEARCH_HELP

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(self.matches(term)) if term else queryset), False

    def matches(self, term: str) -> Q:
        # Found first: the rows are then reached by the index on the customer, whatever the planner thinks of a join.
        return Q(**{f"{self.customer_path}__in": customers_known_as(term)})


class TargetGroupFilter(admin.SimpleListFilter):
    """By target group, typed as number or name: there may be too many for a link each.

    `path` leads from a row to its target. Names are offered while typing, of the chosen brand if one is chosen.
    """

    title = "target group"
    parameter_name = "group"
    template = "admin/target_group_filter.html"
    path = "target"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        groups = TargetGroup.objects.order_by("-pk")
        for name, value in request.GET.items():
            if name.endswith("brand__id__exact") and (brand := as_id(str(value))):
                groups = groups.filter(brand=brand)
        self.offered = list(groups.values_list("name", flat=True)[:GROUPS_OFFERED])

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("", "")]

    def has_output(self) -> bool:
        return True

    def choices(self, changelist: Any) -> Iterator[Any]:
        kept = [
            (name, value)
            for name, values in changelist.filter_params.items()
            if name != self.parameter_name
            for value in values
        ]
        yield {
            "typed": self.value() or "",
            "kept": kept,
            "offered": self.offered,
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        typed = (self.value() or "").strip()
        if not typed or "\x00" in typed:
            return queryset
        wanted = Q(name__iexact=typed) | Q(pk=as_id(typed) or 0)
        groups = list(TargetGroup.objects.filter(wanted).values_list("pk", flat=True))
        path = f"{self.path}__target_group__in" if self.path else "target_group__in"
        return queryset.filter(**{path: groups})
