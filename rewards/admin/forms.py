"""What a marketing person fills in to define a programme: the programme, its targets, levels and rewards."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db.models import QuerySet

from rewards.admin.fields import AmountField, PayloadField, TextField
from rewards.enums import RewardKind
from rewards.operations import RewardData
from targets.calendar import EARLIEST_YEAR, LATEST_YEAR
from targets.enums import Allocation, Entity, EvaluationType, FrequencyType, Kpi, TrackingType
from targets.models import Brand
from targets.operations.programmes import MAX_LATE_DAYS

KINDS = [
    (
        TrackingType.DEFAULT,
        "Milestone: who reaches the value within a cycle gets the reward of that cycle; each cycle anew.",
    ),
    (
        TrackingType.STREAKS,
        "Streak: rewards for reaching the value cycle after cycle. A missed cycle sets the count back to zero.",
    ),
    (
        TrackingType.NON_CONTINUOUS_STREAKS,
        "Streak that survives a missed cycle: rewards for a number of cycles, in a row or not.",
    ),
]
UNITS = [
    (FrequencyType.DAILY, "days"),
    (FrequencyType.WEEKLY, "weeks"),
    (FrequencyType.MONTHLY, "months"),
    (FrequencyType.QUARTERLY, "quarters"),
    (FrequencyType.HALF_YEARLY, "half-years"),
    (FrequencyType.YEARLY, "years"),
]
NO_REWARD = ("", "No reward")


@cache
def zone_choices() -> list[tuple[str, str]]:
    return [("", "The time zone of the brand"), *((name, name) for name in sorted(available_timezones()))]


class DraftForm(forms.Form):
    """A part of the page. Where `is_judged` is false, what was typed is shown again without a word about it."""

    required_css_class = "required"
    use_required_attribute = False  # an empty row may stay empty; the browser does not know

    def __init__(self, data: Mapping[str, Any] | None = None, *, is_judged: bool = True, **options: Any) -> None:
        super().__init__(data, **({"label_suffix": ""} | options))
        self.is_judged = is_judged

    def full_clean(self) -> None:
        if self.is_judged:
            super().full_clean()
        else:
            self._errors = forms.utils.ErrorDict()
            self.cleaned_data = {}


class ProgrammeForm(DraftForm):
    kind = forms.ChoiceField(
        label="What kind of programme?", choices=KINDS, widget=forms.RadioSelect, initial=TrackingType.DEFAULT
    )
    brand = forms.ModelChoiceField(Brand.objects.none(), empty_label="Choose a brand")
    name = TextField(max_length=200, help_text="Customers and clients see it. No other programme of the brand has it.")
    description = TextField(max_length=255, required=False)
    window = forms.ChoiceField(
        label="Which calendar?",
        choices=EvaluationType.choices,
        widget=forms.RadioSelect,
        initial=EvaluationType.FIXED_CALENDAR_WINDOW,
    )
    time_zone = forms.ChoiceField(
        required=False, help_text="Cycles begin and end at midnight there.", choices=zone_choices
    )
    first_day = forms.DateField(
        required=False,
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text="The first day of the first cycle, where the calendar is the same for everybody.",
    )
    length = forms.IntegerField(label="A cycle lasts", min_value=1, max_value=2**31 - 1, initial=1)
    unit = forms.ChoiceField(label="Unit", choices=UNITS, initial=FrequencyType.MONTHLY)
    cycle_count = forms.IntegerField(label="How many cycles?", min_value=1, help_text="One follows the other.")
    late_days = forms.IntegerField(
        min_value=0,
        max_value=MAX_LATE_DAYS,
        initial=0,
        help_text="For so many days after its end a cycle still takes activity that reaches us late. "
        "Then it closes, and rewards due at its end are given.",
    )
    counts_before_enrolment = forms.BooleanField(
        label="Activity before enrolment counts",
        required=False,
        initial=True,
        help_text="Activity of the cycle joined that happened before the customer enrolled, but reaches us afterwards.",
    )

    def __init__(self, *args: Any, brands: QuerySet[Brand], **options: Any) -> None:
        """`brands`: those that can be chosen."""
        super().__init__(*args, **options)
        self.fields["brand"].queryset = brands.order_by("name")  # type: ignore[attr-defined]  # of a ModelChoiceField
        count = self.fields["cycle_count"]
        count.max_value = settings.MAX_CYCLES  # type: ignore[attr-defined]  # of an IntegerField
        count.validators.append(MaxValueValidator(settings.MAX_CYCLES))
        count.widget.attrs["max"] = settings.MAX_CYCLES

    def clean_first_day(self) -> date | None:
        day: date | None = self.cleaned_data["first_day"]
        if day is None and self.cleaned_data.get("window") == EvaluationType.FIXED_CALENDAR_WINDOW:
            raise forms.ValidationError("Say when the first cycle begins.")
        if day is not None and not EARLIEST_YEAR <= day.year <= LATEST_YEAR:
            raise forms.ValidationError(f"The year is from {EARLIEST_YEAR} to {LATEST_YEAR}.")
        return day


class RewardForm(DraftForm):
    """What is given. Without a kind nothing is."""

    kind = forms.ChoiceField(label="Reward", required=False, choices=[NO_REWARD, *RewardKind.choices])
    name = TextField(
        label="Name of the reward", max_length=200, required=False, help_text="Such as “50 points for you”."
    )
    value = AmountField(
        label="How much", least=Decimal(0), required=False, help_text="How many points, or what it is worth."
    )
    payload = PayloadField(
        label="Details for other systems", required=False, help_text="A JSON object, handed on as it is. Optional."
    )

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if cleaned.get("kind"):
            if "name" in cleaned and not cleaned["name"]:
                self.add_error("name", "Give the reward a name: it is kept on whatever is given.")
        elif any(cleaned.get(name) not in (None, "", {}) for name in ("name", "value", "payload")):
            self.add_error("kind", "Choose what kind of reward it is, or empty the fields beside it.")
        return cleaned

    def reward(self) -> RewardData | None:
        cleaned = self.cleaned_data
        if not cleaned["kind"]:
            return None
        return RewardData(cleaned["name"], RewardKind(cleaned["kind"]), cleaned["value"], cleaned["payload"])


class TargetForm(DraftForm):
    name = TextField(max_length=200, help_text="No other target of the brand has it.")
    description = TextField(max_length=255, required=False)
    kpi = forms.ChoiceField(label="What counts", choices=Kpi.choices, initial=Kpi.COUNT)
    entity = forms.ChoiceField(
        label="Of what",
        choices=Entity.choices,
        initial=Entity.TRANSACTION,
        help_text="Amounts and quantities are those of what is sold.",
    )
    attribute_name = TextField(
        label="Attribute to add up",
        max_length=100,
        required=False,
        strip=False,
        help_text="Only for “Sum of one attribute”: its name in the activity.",
    )
    event_name = TextField(
        max_length=100, required=False, help_text="Only activities of this name count. Left empty: those of any name."
    )
    value = AmountField(
        label="Value to reach",
        help_text="In each cycle; a plain number such as 1500 or 99.95. "
        "It can be made different for single cycles in the preview.",
    )
    allocation = forms.ChoiceField(
        label="When is the reward given?",
        choices=[(Allocation.IMMEDIATE, "At once"), (Allocation.PERIOD_END, "When the cycle ends")],
        initial=Allocation.IMMEDIATE,
        help_text="“When the cycle ends” is judged when the cycle closes. Streaks always give at once.",
    )
    left_out = forms.BooleanField(label="Leave this target out", required=False)


class LevelForm(DraftForm):
    count = forms.IntegerField(label="Cycles achieved", min_value=1, max_value=10_000)
    name = TextField(label="Name of the level", max_length=200, help_text="No other level of the brand has it.")
    left_out = forms.BooleanField(label="Leave this level out", required=False)
