"""What the admin pages of all apps are made of: read-only rows, and lists that stay quick over millions of them."""

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from targets.admin.exporting import ExportedList
from targets.brand_limits import brands_of, of_brands_of
from targets.queries import as_id, customers_known_as
from targets.recent_writes import noted_in
from targets.replica import read_behind

MOST_COUNTED = 10_000

SEARCH_HELP = "A customer's number, external id, e-mail address or phone, exactly."


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


class CarefulAdmin(admin.ModelAdmin):
    """Where Django's own pages trust what they are asked."""

    def response_action(  # type: ignore[override]  # the stubs are of a later Django
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        """Ids that no row can have are asked of the database otherwise, which fails."""
        if all(as_id(each) for each in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            response: HttpResponse | None = super().response_action(request, queryset)
            return response
        self.message_user(request, "Nothing was done: there is no such row.", messages.ERROR)
        return None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The permission first: who may not see the row is not told whether there is one."""
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)


class ConsoleAdmin(ExportedList, CarefulAdmin):
    """A list that never counts, sorts or joins more than it shows. Nothing is ever deleted.

    `brand_path` leads from a row to its brand. Staff see and touch rows of their brands only: all pages take their rows
    from `get_queryset`, so that another brand's row is answered like one that does not exist.
    """

    brand_path: str | None = "brand"
    rows_of: type[Model] | None = None  # a model with the same fields of which the rows are, if it is another
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request)
        if self.rows_of is not None:
            found = self.rows_of._default_manager.order_by(*self.get_ordering(request))
        return found.filter(of_brands_of(request.user, self.brand_path))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """What its filters ask, and nothing else: Django allows every column, also those that are shown nowhere.

        Raises `IncorrectLookupParameters`, as Django does for a column that there is not.
        """
        is_allowed: bool = super().lookup_allowed(lookup, value, request)
        if is_allowed and not any(is_asked_by(each, lookup, value) for each in self.get_list_filter(request)):
            raise IncorrectLookupParameters
        return is_allowed

    def get_field_queryset(self, db: Any, db_field: Any, request: HttpRequest) -> QuerySet[Any] | None:
        """A field that leads to a row offers, and takes, those of the row's own list."""
        related = console_of(self.admin_site, db_field.remote_field.model)
        if related is None:
            found: QuerySet[Any] | None = super().get_field_queryset(db, db_field, request)
            return found
        return related.get_queryset(request).order_by(*related.get_ordering(request))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def may(self, request: HttpRequest, permission: str) -> bool:
        """Whether he may do what the permission lets him, to what he may see."""
        return request.user.has_perm(permission) and self.has_view_permission(request)

    def refuse_unless_may_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def refuse_unless_may(self, request: HttpRequest, permission: str) -> None:
        if not self.may(request, permission):
            raise PermissionDenied

    def row_or_404(self, request: HttpRequest, pk: int, *related: str) -> Any:
        """The row with `related` rows. Raises `Http404`, for another brand's row as for none."""
        found = self.get_queryset(request).select_related(*related).filter(pk=pk).first()
        if found is None:
            raise Http404
        return found


def is_asked_by(list_filter: Any, lookup: str, value: Any) -> bool:
    """`list_filter`: a column, or the class of a filter that reads a parameter of its own."""
    if isinstance(list_filter, str):
        return lookup.startswith(f"{list_filter}__") and "\x00" not in str(value)
    return bool(lookup == list_filter.parameter_name)


def console_of(site: admin.AdminSite, model: type[Model]) -> ConsoleAdmin | None:
    found = site.get_model_admin(model) if site.is_registered(model) else None
    return found if isinstance(found, ConsoleAdmin) else None


class RelatedRowFilter(admin.RelatedFieldListFilter):
    """By a row that each row leads to, of those that its own list shows. Takes the place of Django's own."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        related = console_of(model_admin.admin_site, field.remote_field.model)
        if related is None:
            return super().field_choices(field, request, model_admin)
        ordering = related.get_ordering(request)
        shown = of_brands_of(request.user, related.brand_path)
        return field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=shown)


admin.FieldListFilter.register(lambda field: bool(field.remote_field), RelatedRowFilter, take_priority=True)


class ReadOnlyAdmin(ConsoleAdmin):
    """What has happened, or what only an operation may change. Its list may be read on a replica, a little behind."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        listed = partial(self._rendered_list, request, extra_context)
        if request.method != "GET":  # an action
            return listed()
        return read_behind(listed, reads_primary_until=noted_in(request.session))

    def _rendered_list(self, request: HttpRequest, extra_context: dict[str, Any] | None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        return response.render() if isinstance(response, TemplateResponse) else response

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
        return (queryset.filter(self.matches(term, brands_of(request.user))) if term else queryset), False

    def matches(self, term: str, brands: Sequence[int] | None) -> Q:
        """`brands`: those he may see, None for all."""
        # Found first: the rows are then reached by the index on the customer, whatever the planner thinks of a join.
        return Q(**{f"{self.customer_path}__in": customers_known_as(term, brands)})
