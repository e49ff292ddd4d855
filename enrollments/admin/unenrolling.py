"""Unenrolling by support: one page that says what it would mean, asks why, and does just that (domain.md 5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from enrollments.admin.forms import ChangeForm
from enrollments.admin.states import is_inactive, zoned
from enrollments.admin.strips import Strip, strip_of
from enrollments.batch import Batch, Left, leave, leave_as_foreseen, leave_each
from enrollments.enums import Effective, LeaveOutcome, ReceiptKind, Source
from enrollments.foreseen import Foreseen
from enrollments.models import Participation
from enrollments.receipts import Account, accounts
from rewards.models import Reward
from targets.admin.lists import ConsoleAdmin
from targets.models import Target
from targets.queries import as_id

MOST_AT_ONCE = 500
TOO_MANY = (
    "At most {most} customers can be unenrolled here at once; nothing was done. "
    "For more there is “Unenrol many” on the page of the programme."
)
INACTIVE = "The programme is inactive: tick the box to unenrol from it."
UNCHANGED = {LeaveOutcome.CHANGED, LeaveOutcome.TRY_AGAIN}  # to be looked at again: shown anew


@dataclass(frozen=True)
class Preview:
    """What unenrolling would mean for one customer; `refusal` says why it cannot be done."""

    participation: Participation
    account: Account | None
    refusal: str
    reward: Reward | None

    @property
    def seen(self) -> str:
        """For a hidden field: the enrolment, and what was shown of it."""
        foreseen = Foreseen.of(self.account.receipt) if self.account else ""
        return f"{self.participation.pk}:{foreseen}"

    @property
    def zone(self) -> str:
        return self.participation.target.target_group.time_zone

    @property
    def is_inactive(self) -> bool:
        return is_inactive(self.participation)

    @property
    def strip(self) -> Strip | None:
        return strip_of(self.account) if self.account else None

    @property
    def leaves_at(self) -> datetime | None:
        """Now, or the end of the cycle after which he is out."""
        if self.account is None:
            return None
        receipt = self.account.receipt
        ends = {line.cycle.number: line.cycle.ends_at for line in self.account.cycles}
        return ends[receipt.running_cycle or 0] if receipt.kind == ReceiptKind.LEAVE_SCHEDULED else receipt.effective_at


@dataclass(frozen=True)
class Result:
    """What became of one customer. `is_done`: he was unenrolled, or will be."""

    participation: Participation
    left: Left | None
    message: str
    batch_id: UUID

    @property
    def is_done(self) -> bool:
        return self.left is not None and self.left.is_written

    @property
    def label(self) -> str:
        return self.left.outcome.label if self.left else "Refused"

    @property
    def is_open(self) -> bool:
        """Whether it is worth looking at again."""
        return self.left is None or self.left.outcome in UNCHANGED


class Unenrolling(ConsoleAdmin):
    """The action on a list of enrolments, the button on one, and the page that both lead to."""

    actions = ("unenroll_selected",)

    def has_bulk_unenroll_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "enrollments.bulk_unenroll")

    def may_unenroll(self, request: HttpRequest, count: int) -> bool:
        """Whether he may unenrol so many at once. Who may unenrol many may also unenrol one."""
        is_one = count <= 1 and self.may(request, "enrollments.unenroll")
        return is_one or self.has_bulk_unenroll_permission(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.unenroll_view))
        return [path("unenroll/", view, name="enrollments_participation_unenroll"), *super().get_urls()]

    @admin.action(description="Unenrol the selected customers …", permissions=["bulk_unenroll"])
    def unenroll_selected(self, request: HttpRequest, queryset: QuerySet[Participation]) -> HttpResponse | None:
        ids = list(queryset.order_by("-pk").values_list("pk", flat=True)[: most_at_once() + 1])
        return self.preview_page(request, ids, Effective.NOW, ChangeForm())

    def unenroll_view(self, request: HttpRequest) -> HttpResponse:
        """GET and a POST without `confirm` show what it would mean; nothing but a POST with it changes anything."""
        ids, seen = ids_in(request.GET.getlist("id")), seen_in(request.POST.getlist("seen"))
        if not self.may_unenroll(request, len(ids if request.method == "GET" else seen)):
            raise PermissionDenied
        if request.method == "GET":
            return self.preview_page(request, ids, Effective.NOW, ChangeForm())
        effective = effective_in(request.POST.get("show") or request.POST.get("effective"))
        if "confirm" not in request.POST:
            form = ChangeForm(initial={name: request.POST.get(name) for name in ("reason", "include_inactive")})
            return self.preview_page(request, list(seen), effective, form)
        form = ChangeForm(request.POST)
        if len(seen) > most_at_once() or not form.is_valid():
            return self.preview_page(request, list(seen), effective, form)
        return self.unenroll(request, seen, effective, form)

    def unenroll(
        self, request: HttpRequest, seen: dict[int, Foreseen | None], effective: Effective, form: ChangeForm
    ) -> HttpResponse:
        batch_id = uuid4()
        participations = self.loaded(request, list(seen))
        lefts: dict[int, Left] = {}
        for target, members in by_target(participations).items():
            asked = [each for each in members if form.cleaned_data["include_inactive"] or not is_inactive(each)]
            batch = Batch(
                brand=target.brand,
                target=target,
                by=request.user.get_username(),
                source=Source.ADMIN,
                reason=form.cleaned_data["reason"],
                effective=effective,
                request_id=request.request_id,  # type: ignore[attr-defined]  # set by RequestIdMiddleware
                batch_id=batch_id,
                even_if_inactive=form.cleaned_data["include_inactive"],
            )
            lefts |= leave_all(batch, asked, seen)
        results = [result_of(each, lefts.get(each.pk), batch_id) for each in participations]
        if len(results) == 1 and results[0].is_done:
            return self.to_receipt(request, results[0])
        again = [each.participation.pk for each in results if each.is_open]
        return self.preview_page(request, again, effective, form, results)

    def loaded(self, request: HttpRequest, ids: Sequence[int]) -> list[Participation]:
        """Those of his brands; the others are passed over like what does not exist."""
        found = self.get_queryset(request).filter(pk__in=ids)
        return list(found.select_related("brand", "customer", "target__target_group").order_by("-pk"))

    def to_receipt(self, request: HttpRequest, result: Result) -> HttpResponse:
        """One customer, done: his receipt says the rest, or his enrolment where the receipt may not be seen."""
        participation, left = result.participation, result.left
        assert left is not None  # noqa: S101 - for the type checker: what is done has an outcome
        deed = "leaves at the end of the running cycle of" if left.outcome == LeaveOutcome.SCHEDULED else "has left"
        self.message_user(request, f"Customer {participation.customer} {deed} {participation.target}.")
        if left.forfeited:
            self.message_user(request, f"The reward of {left.forfeited} is forfeited.", messages.WARNING)
        if request.user.has_perm("enrollments.view_receipt"):
            return HttpResponseRedirect(reverse("admin:enrollments_receipt_change", args=[left.receipt_id]))
        return HttpResponseRedirect(reverse("admin:enrollments_participation_change", args=[participation.pk]))

    def preview_page(
        self,
        request: HttpRequest,
        ids: Sequence[int],
        effective: Effective,
        form: ChangeForm,
        results: Sequence[Result] = (),
    ) -> HttpResponse:
        """What unenrolling would mean for each, after what became of those that were confirmed."""
        if len(ids) > most_at_once():
            self.message_user(request, TOO_MANY.format(most=most_at_once()), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:enrollments_participation_changelist"))
        previews = look_ahead(self.loaded(request, ids), effective)
        if not previews and not results:
            self.message_user(request, "There is no such enrolment.", messages.WARNING)
            return HttpResponseRedirect(reverse("admin:enrollments_participation_changelist"))
        if not any(each.is_inactive for each in previews):
            form.fields.pop("include_inactive")
        request.current_app = self.admin_site.name  # as Django's own admin views do
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title_of(previews, results),
            "previews": previews,
            "single": previews[0] if len(previews) == 1 else None,
            "possible": sum(each.account is not None for each in previews),
            "forfeiting": sum(bool(each.account and each.account.forfeited) for each in previews),
            "results": results,
            "batch_id": next((each.batch_id for each in results if each.is_done), None),
            "effective": effective,
            "choices": Effective,
            "form": form,
        }
        return TemplateResponse(request, "admin/enrollments/unenrol.html", context)


def most_at_once() -> int:
    """No more than may leave without a second person's approval; one always may."""
    return max(1, min(MOST_AT_ONCE, settings.BULK_APPROVAL_ABOVE))


def by_target(participations: Sequence[Participation]) -> dict[Target, list[Participation]]:
    found: dict[Target, list[Participation]] = {}
    for each in participations:
        found.setdefault(each.target, []).append(each)
    return found


def leave_all(
    batch: Batch, participations: Sequence[Participation], seen: Mapping[int, Foreseen | None]
) -> dict[int, Left]:
    """What became of each, by enrolment. Who was erased has no number, and is left for himself."""
    numbered = {each.customer.customer_id: each.pk for each in participations if each.customer.customer_id is not None}
    foreseen = {number: seen[pk] for number, pk in numbered.items()}
    lefts = {numbered[left.customer_id or 0]: left for left in leave_each(batch, list(numbered), foreseen=foreseen)}
    for each in participations:
        if each.pk not in lefts:
            lefts[each.pk] = leave_as_foreseen(batch, each.customer, seen[each.pk])
    return lefts


def result_of(participation: Participation, left: Left | None, batch_id: UUID) -> Result:
    return Result(participation, left, INACTIVE if left is None else why(left, participation), batch_id)


def title_of(previews: Sequence[Preview], results: Sequence[Result]) -> str:
    if results:
        return f"{sum(each.is_done for each in results)} of {len(results)} unenrolled"
    if len(previews) > 1:
        return f"Unenrol {len(previews)} customers"
    (participation,) = (each.participation for each in previews)
    return f"Unenrol {participation.customer} from {participation.target}"


def look_ahead(participations: Sequence[Participation], effective: Effective) -> list[Preview]:
    """Run the operation without writing, for each; rendered together in a constant number of statements."""
    lefts = [
        leave(
            Batch(
                brand=each.brand,
                target=each.target,
                by="",
                source=Source.ADMIN,
                effective=effective,
                dry_run=True,
                even_if_inactive=True,  # the box is asked for on confirming
            ),
            each.customer,
        )
        for each in participations
    ]
    refusals = [why(left, each) for left, each in zip(lefts, participations, strict=True)]
    receipts = [left.receipt for left, refusal in zip(lefts, refusals, strict=True) if left.receipt and not refusal]
    rendered = iter(accounts(receipts))
    promised = promised_now(participations)
    previews = []
    for each, refusal in zip(participations, refusals, strict=True):
        shown = None if refusal else next(rendered)
        running = shown.receipt.running_cycle if shown else None
        reward = promised.get((each.target_id, running)) or promised.get((each.target_id, None))
        previews.append(Preview(each, shown, refusal, reward))
    return previews


def promised_now(participations: Sequence[Participation]) -> dict[tuple[int, int | None], Reward]:
    """By target and number of the cycle whose own reward it is; None: of all others. One statement."""
    targets = {each.target_id for each in participations}
    rewards = Reward.objects.filter(target__in=targets, level=None, retired_at=None).select_related("cycle")
    return {(each.target_id, each.cycle.number if each.cycle else None): each for each in rewards}


def why(left: Left, participation: Participation) -> str:
    """Why nothing changes for him, in words; empty where something does."""
    if left.outcome == LeaveOutcome.ALREADY_LEFT and left.left_at is not None:
        return f"Not enrolled: left {zoned(left.left_at, participation)}."
    return left.message


def effective_in(text: str | None) -> Effective:
    return Effective(text) if text in Effective.values else Effective.NOW


def ids_in(texts: Sequence[str]) -> list[int]:
    """Each once; what is no id is passed over."""
    return list(dict.fromkeys(number for text in texts if (number := as_id(text)) is not None))


def seen_in(texts: Sequence[str]) -> dict[int, Foreseen | None]:
    """What the hidden fields say: of which enrolments, and what was shown of each."""
    pairs = [text.partition(":") for text in texts]
    return {number: Foreseen.read(shown) for text, _, shown in pairs if (number := as_id(text)) is not None}
