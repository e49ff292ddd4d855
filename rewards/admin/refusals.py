"""Refusals of the domain at the fields of the form, in its words."""

import re
from collections.abc import Iterable

from django import forms
from django.db import models

from rewards.admin.draft import Draft, LevelRow, TargetRow
from targets.enums import Allocation, Entity, EvaluationType, Kpi, TrackingType
from targets.errors import DomainError, ImpossibleCombination

PROGRAMME_FIELDS = {
    "name": "name",
    "description": "description",
    "trackingType": "kind",
    "targetEvaluationType": "window",
    "timeZoneName": "time_zone",
    "targetCycleStartDate": "first_day",
    "frequency": "length",
    "totalPeriods": "cycle_count",
    "periods": "cycle_count",
    "lateDays": "late_days",
}
ROW_FIELDS = {
    "name": "name",
    "description": "description",
    "targetEntity": "entity",
    "targetType": "kpi",
    "eventName": "event_name",
    "attributeName": "attribute_name",
    "defaultValues": "value",
    "rewardAllocationType": "allocation",
    "targetCountOfSequence": "count",
}
ROW_PATH = re.compile(r"(targets|streaks)\[(\d+)\]\.(.+)", re.DOTALL)
PERIOD_PATH = re.compile(r"periods\[(\d+)\]")
# Words of the API that its refusals use, as the page says them.
WORDS = {
    "send": "choose",
    "targetType": "choice of “What counts”",
    "refCode": "name",
    "period": "cycle",
    "Period": "Cycle",
    "periods": "cycles",
}


def words_of(enums: Iterable[type[models.TextChoices]]) -> dict[str, str]:
    return {value: f"“{label}”" for each in enums for value, label in each.choices}


ALL_WORDS = WORDS | words_of([TrackingType, EvaluationType, Kpi, Entity, Allocation])
WORD = re.compile(rf"\b({'|'.join(sorted(ALL_WORDS, key=len, reverse=True))})\b")


def in_words(message: str) -> str:
    """Without names of the API: PERIOD_END is “When the cycle closes”."""
    return WORD.sub(lambda found: ALL_WORDS[found[0]], message)


def show_refusal(draft: Draft, error: DomainError) -> None:
    """Put the refusal at the field that its path names; at the head of the page where there is none."""
    message = in_words(error.message)
    path = error.field or ""
    if (row_path := ROW_PATH.fullmatch(path)) is not None:
        rows = draft.kept_targets if row_path[1] == "targets" else draft.kept_levels
        form, name = field_of_row(rows[int(row_path[2])], row_path[3])
        form.add_error(name, message)
    elif (period_path := PERIOD_PATH.match(path)) is not None:
        draft.calendar.add_error(f"cycle-{int(period_path[1]) + 1}-name", message)
    elif path == "streaks" and isinstance(error, ImpossibleCombination):
        for row in draft.kept_levels:
            row.form.add_error("left_out", message)
    elif path == "targets" and isinstance(error, ImpossibleCombination):
        for another in draft.kept_targets[1:]:
            another.form.add_error("left_out", message)
    elif path in PROGRAMME_FIELDS:
        draft.programme.add_error(PROGRAMME_FIELDS[path], message)
    else:
        draft.problems.append(message)


def field_of_row(row: TargetRow | LevelRow, path: str) -> tuple[forms.Form, str]:
    first, _, rest = path.partition(".")
    if first == "reward":
        return row.reward, rest if rest in row.reward.fields else "kind"
    if first == "match" and isinstance(row, TargetRow):
        for form in row.conditions:
            attribute = form.cleaned_data["attribute"]
            if attribute and (rest == attribute or rest.startswith(f"{attribute}.")):
                return form, "value"
        return row.conditions[0], "attribute"
    return row.form, ROW_FIELDS[first]
