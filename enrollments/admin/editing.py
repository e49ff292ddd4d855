"""Editing a programme in the admin: a form, then what it will change in sentences, then a POST that does just that."""

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from enrollments.admin.edit_form import EditForm
from enrollments.enums import Source
from enrollments.operations import edit_programme, preview_edit, programme_state
from rewards.admin.defining import TargetGroupWithDefiningAdmin
from targets.clock import brand_now, run_at_now
from targets.errors import ChangedMeanwhile, DomainError
from targets.models import TargetGroup
from targets.operations import Change

BEGUN_MEANWHILE = "The programme has gone on since this page was opened: this is how it stands now."
NOTHING = "Nothing is changed yet."


class EditingProgrammes(TargetGroupWithDefiningAdmin):
    """The button on a programme, and the pages behind it."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.edit_view))
        return [path("<int:pk>/edit/", view, name="targets_targetgroup_edit"), *super().get_urls()]

    def edit_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET and a POST without `confirm` write nothing."""
        self.refuse_unless_may(request, "targets.change_targetgroup")
        group = self.row_or_404(request, pk, "brand")
        state, at = programme_state(group), brand_now(group.brand)
        fresh = EditForm(state, at)
        if request.method == "GET":
            return self.edit_page(request, group, fresh)
        if request.POST.get("seen") != fresh.seen:
            return self.edit_page(request, group, fresh, BEGUN_MEANWHILE)
        form = EditForm(state, at, request.POST)
        if not form.is_valid() or "again" in request.POST:
            return self.edit_page(request, group, form)
        try:
            if "confirm" in request.POST:
                return self.edit(request, group, form)
            changes = preview_edit(target_group=group, edit=form.as_edit(), at=at).changes
        except ChangedMeanwhile as refusal:
            return self.edit_page(request, group, EditForm(programme_state(group), at), refusal.message)
        except DomainError as refusal:
            form.refuse(refusal)
        except OperationalError as error:
            return self.edit_page(request, group, form, str(error))
        else:
            if changes:
                return self.edit_preview_page(request, group, form, changes)
            return self.edit_page(request, group, form, NOTHING)
        return self.edit_page(request, group, form)

    def edit(self, request: HttpRequest, group: TargetGroup, form: EditForm) -> HttpResponse:
        made = run_at_now(
            group.brand,
            lambda at: edit_programme(
                target_group=group,
                edit=form.as_edit(),
                at=at,
                by=request.user.get_username(),
                source=Source.ADMIN,
                request_id=request.request_id,  # type: ignore[attr-defined]  # set by RequestIdMiddleware
                expected_version=form.state.group.version,
            ),
        )
        count = len(made.changes)
        self.message_user(request, f"Edited: {count} change{'' if count == 1 else 's'}, in the history below.")
        return HttpResponseRedirect(reverse("admin:targets_targetgroup_change", args=[group.pk]))

    def edit_page(self, request: HttpRequest, group: TargetGroup, form: EditForm, refusal: str = "") -> HttpResponse:
        return self.edit_frame(request, group, "edit_programme.html", f"Edit {group}", form=form, refusal=refusal)

    def edit_preview_page(
        self, request: HttpRequest, group: TargetGroup, form: EditForm, changes: list[Change]
    ) -> HttpResponse:
        """With all that was typed in hidden fields, so that what is confirmed is what is shown."""
        typed = [(name, request.POST[name]) for name in ("seen", *form.fields) if name in request.POST]
        return self.edit_frame(
            request, group, "edit_preview.html", f"Edit {group}: look again", typed=typed, changes=changes
        )

    def edit_frame(
        self, request: HttpRequest, group: TargetGroup, template: str, title: str, **context: object
    ) -> HttpResponse:
        request.current_app = self.admin_site.name  # as Django's own admin views do
        frame = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, "group": group}
        return TemplateResponse(request, f"admin/enrollments/{template}", frame | context)
