"""Conditions on attributes as rows of a form, and the `match` that they make (targets.matching)."""

from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.db.models import TextChoices

from rewards.admin.fields import TextField, number_in
from rewards.admin.forms import DraftForm

ROWS = 4


class Comparison(TextChoices):
    TEXT = "text", "is the text"
    TEXTS = "texts", "is one of the texts (with commas between)"
    NUMBER = "number", "is the number"
    NUMBERS = "numbers", "is one of the numbers (with commas between)"
    AT_LEAST = "atLeast", "is at least"
    AT_MOST = "atMost", "is at most"
    YES = "yes", "is yes (true)"
    NO = "no", "is no (false)"


NAME_OF = {
    Comparison.TEXT: "equals",
    Comparison.TEXTS: "in",
    Comparison.NUMBER: "equals",
    Comparison.NUMBERS: "in",
    Comparison.AT_LEAST: "atLeast",
    Comparison.AT_MOST: "atMost",
    Comparison.YES: "equals",
    Comparison.NO: "equals",
}


class ConditionForm(DraftForm):
    """One condition. Without an attribute there is none."""

    attribute = TextField(max_length=100, required=False, strip=False)
    comparison = forms.ChoiceField(required=False, choices=Comparison.choices, initial=Comparison.TEXT)
    value = TextField(max_length=1000, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        comparison, text = cleaned.get("comparison"), cleaned.get("value", "")
        if self.errors:
            return cleaned
        if not cleaned["attribute"]:
            if text:
                self.add_error("attribute", "Name the attribute, or empty the value.")
            return cleaned
        if not comparison:
            self.add_error("comparison", "Choose what the attribute is to be.")
        elif comparison in (Comparison.YES, Comparison.NO):
            if text:
                self.add_error("value", "Yes and no need no value: empty it.")
            cleaned["wanted"] = comparison == Comparison.YES
        elif comparison in (Comparison.TEXT, Comparison.TEXTS):
            texts = [each.strip() for each in text.split(",")] if comparison == Comparison.TEXTS else [text]
            if not all(texts):
                self.add_error("value", "Say which text.")
            cleaned["wanted"] = texts if comparison == Comparison.TEXTS else text
        else:
            several = comparison == Comparison.NUMBERS
            numbers = [number_in(each.strip()) for each in (text.split(",") if several else [text])]
            if None in numbers:
                self.add_error("value", "Write a plain number, such as 5 or 2.5.")
            cleaned["wanted"] = numbers if several else numbers[0]
        return cleaned


def mark_repeated(conditions: Iterable[ConditionForm]) -> None:
    """What is said twice of one attribute becomes an error of the later row."""
    said = set()
    for attribute, name, form in _meant(conditions):
        if (attribute, name) in said:
            form.add_error("comparison", "This is said of the attribute already: use “is one of”, or one row only.")
        said.add((attribute, name))


def match_of(conditions: Iterable[ConditionForm]) -> dict[str, dict[str, Any]]:
    """All conditions together, as `targets.matching` takes them."""
    match: dict[str, dict[str, Any]] = {}
    for attribute, name, form in _meant(conditions):
        match.setdefault(attribute, {})[name] = form.cleaned_data["wanted"]
    return match


def _meant(conditions: Iterable[ConditionForm]) -> Iterator[tuple[str, str, ConditionForm]]:
    for form in conditions:
        if form.is_valid() and form.cleaned_data.get("attribute"):  # nothing is read of what is not judged
            yield form.cleaned_data["attribute"], NAME_OF[Comparison(form.cleaned_data["comparison"])], form
