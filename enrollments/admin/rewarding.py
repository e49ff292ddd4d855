"""Changing what a programme gives: a form, then what it means in sentences, then a POST that does just that."""

from collections.abc import Mapping
from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from enrollments.admin.editing import NOTHING, EditingProgrammes
from enrollments.admin.reward_form import Place, Places, RewardChangeForm, sentences
from enrollments.enums import Source
from enrollments.operations import change_reward, preview_reward
from targets.clock import run_at_now
from targets.errors import ChangedMeanwhile, DomainError
from targets.models import TargetGroup


class RewardingProgrammes(EditingProgrammes):
    """The rewards on the page of a programme, and the pages behind them."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.reward_view))
        return [path("<int:pk>/reward/", view, name="targets_targetgroup_reward"), *super().get_urls()]

    def reward_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET and a POST without `confirm` write nothing."""
        self.refuse_unless_may(request, "rewards.change_reward")
        group = self.row_or_404(request, pk, "brand")
        places, data = Places(group), request.POST
        if request.method == "GET":
            return self.reward_page(request, group, self.fresh_form(places, request.GET))
        form = RewardChangeForm(places, data, data)
        if form.place is None and not form.is_choosing:
            raise Http404
        if data.get("seen") != str(group.version):
            return self.reward_page(request, group, self.fresh_form(places, data), ChangedMeanwhile().message)
        if not form.is_valid() or form.place is None or "again" in data:
            return self.reward_page(request, group, form)
        reward = form.reward()
        try:
            if "confirm" in data:
                return self.change_reward(request, group, form.place, form)
            change = preview_reward(
                target=form.place.target, reward=reward, level=form.place.level, cycle=form.place.cycle
            )
        except ChangedMeanwhile as refusal:
            group.refresh_from_db(fields=["version"])
            return self.reward_page(request, group, self.fresh_form(Places(group), data), refusal.message)
        except DomainError as refusal:
            form.refuse(refusal)
        except OperationalError as error:
            return self.reward_page(request, group, form, str(error))
        else:
            if change is None:
                return self.reward_page(request, group, form, NOTHING)
            return self.reward_preview_page(request, group, form, sentences(form.place, reward))
        return self.reward_page(request, group, form)

    def fresh_form(self, places: Places, named: Mapping[str, Any]) -> RewardChangeForm:
        """As it stands; 404 where there is no such place, or no cycle to choose."""
        form = RewardChangeForm(places, named)
        if form.place is None and not (form.is_choosing and places.open_cycles):
            raise Http404
        return form

    def change_reward(
        self, request: HttpRequest, group: TargetGroup, place: Place, form: RewardChangeForm
    ) -> HttpResponse:
        run_at_now(
            group.brand,
            lambda at: change_reward(
                target=place.target,
                reward=form.reward(),
                level=place.level,
                cycle=place.cycle,
                at=at,
                by=request.user.get_username(),
                source=Source.ADMIN,
                request_id=request.request_id,  # type: ignore[attr-defined]  # set by RequestIdMiddleware
                expected_version=group.version,
            ),
        )
        self.message_user(request, f"The reward of {place} was changed: see the history below.")
        return HttpResponseRedirect(reverse("admin:targets_targetgroup_change", args=[group.pk]))

    def reward_page(
        self, request: HttpRequest, group: TargetGroup, form: RewardChangeForm, refusal: str = ""
    ) -> HttpResponse:
        title = "Give a cycle a reward of its own" if form.is_choosing else f"Reward of {form.place}"
        return self.edit_frame(request, group, "reward.html", title, form=form, refusal=refusal)

    def reward_preview_page(
        self, request: HttpRequest, group: TargetGroup, form: RewardChangeForm, said: list[str]
    ) -> HttpResponse:
        """With all that was typed in hidden fields, so that what is confirmed is what is shown."""
        names = (*form.fields, "seen")
        typed = [*form.carried, *((name, request.POST[name]) for name in names if name in request.POST)]
        title = f"Reward of {form.place}: look again"
        return self.edit_frame(request, group, "reward_preview.html", title, typed=typed, said=said)
