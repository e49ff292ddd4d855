"""The fields of answers, for the OpenAPI document: each says what it means and how a value looks.

What is answered in several places has a class of its own here, and so one description.
"""

from typing import Any

from rest_framework import serializers

from targets.fields import ChoiceField, Documented, FlagField, ObjectField, TextField


class Number(Documented, serializers.IntegerField):
    """An integer; ids are 64 bits wide."""

    meaning = ""

    def __init__(self, help_text: str = "", example: int | None = None, **details: Any) -> None:
        super().__init__(help_text=help_text or self.meaning, example=example, **details)

    def form(self, direction: str) -> dict[str, Any]:
        return {"type": "integer", "format": "int64"}


class Text(TextField):
    """A text of at most `max_length` characters."""

    meaning = ""
    longest = 200

    def __init__(self, help_text: str = "", example: str | None = None, **details: Any) -> None:
        details = {"max_length": self.longest} | details
        super().__init__(help_text=help_text or self.meaning, example=example, **details)


class Flag(FlagField):
    def __init__(self, help_text: str, **details: Any) -> None:
        super().__init__(help_text=help_text, **details)


class Word(ChoiceField):
    def __init__(self, choices: Any, help_text: str, **details: Any) -> None:
        super().__init__(choices, help_text=help_text, **details)


class Object(ObjectField):
    def __init__(self, help_text: str, example: Any, **details: Any) -> None:
        super().__init__(help_text=help_text, example=example, **details)


class Day(Documented, serializers.DateField):
    example = "2026-01-31"

    def __init__(self, help_text: str, **details: Any) -> None:
        super().__init__(help_text=help_text, **details)


class Nothing(Documented, serializers.ListField):
    """A published list for which there is nothing here: empty."""

    example = ()

    def __init__(self, **details: Any) -> None:
        super().__init__(help_text="As published; always empty or null.", **details)

    def form(self, direction: str) -> dict[str, Any]:
        return {"type": "array", "maxItems": 0, "items": {}}


class NumberOfCustomer(Number):
    meaning = "The brand's number for the customer."
    example = 423789336


class TargetGroupId(Number):
    meaning = "Id of the target group."
    example = 12


class TargetId(Number):
    meaning = "Id of the target."
    example = 34


class PeriodId(Number):
    meaning = "Id of the period."
    example = 56


class PeriodNumber(Number):
    meaning = "The place of the period in the calendar; the first is 1."
    example = 1


class RefCode(Text):
    meaning = "The name of the period."
    example = "Cycle_1"
    longest = 100


class StreakId(Number):
    meaning = "Id of the streak level."
    example = 78


class StreakName(Text):
    meaning = "The name of the streak level."
    example = "Silver"


class StreakTarget(Number):
    meaning = "How many periods in a row reach the level."
    example = 3


class Run(Number):
    meaning = "The customer's run in the streak; the first is 1. A reset begins the next."
    example = 1


class StreakCount(Number):
    meaning = "How many periods count for the streak in this run."
    example = 2


class ReceiptId(Number):
    meaning = "Id of the receipt."
    example = 910


class GrantId(Number):
    meaning = "Id of the reward's grant; null where none was given."
    example = 1112


class BatchId(Documented, serializers.UUIDField):
    example = "7f1c2a4e-9d1b-4c1a-8f0e-2b7d6c5a4f3e"

    def __init__(self, **details: Any) -> None:
        super().__init__(**{"help_text": "What all receipts of one bulk call have in common."} | details)
