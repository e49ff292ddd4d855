"""Form fields that take what the API takes, and refuse the rest in the same words."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import forms
from rest_framework import serializers

from targets import fields
from targets.errors import InvalidInput
from targets.fields import NUMBER
from targets.models import MAX_VALUE
from targets.strict_json import parse_json

LEAST = Decimal("0.001")


class RuledField(forms.CharField):
    """A text that `rule`, the field of a serializer, reads. Left empty it is `empty_value`."""

    def __init__(self, *, rule: Any, **options: Any) -> None:
        super().__init__(**options)
        self.rule = rule

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text in self.empty_values:
            return self.empty_value
        try:
            return self.rule.run_validation(text)
        except serializers.ValidationError as error:
            raise forms.ValidationError([str(each) for each in error.detail]) from None


class TextField(RuledField):
    """One line of text, without control characters."""

    def __init__(self, *, max_length: int, strip: bool = True, **options: Any) -> None:
        rule = fields.TextField(trim_whitespace=strip)
        super().__init__(rule=rule, max_length=max_length, strip=strip, **options)


class AmountField(RuledField):
    """An exact decimal, None where nothing is said."""

    def __init__(self, *, least: Decimal = LEAST, **options: Any) -> None:
        rule = fields.AmountField(min_value=least, max_value=MAX_VALUE)
        super().__init__(rule=rule, **({"empty_value": None} | options))
        self.widget.attrs |= {"inputmode": "decimal", "size": 12, "autocomplete": "off"}


class PayloadField(forms.CharField):
    """A JSON object, {} where nothing is said."""

    widget = forms.Textarea(attrs={"rows": 2, "cols": 60, "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return {}
        try:
            payload = parse_json(text.encode())
        except InvalidInput as error:
            raise forms.ValidationError(error.message.replace("The body", "The text")) from None
        except UnicodeEncodeError:
            payload = None
        if not isinstance(payload, Mapping):
            raise forms.ValidationError('Write a JSON object, such as {"voucher": "A-7"}, or leave it empty.')
        return payload


def number_in(text: str) -> int | Decimal | None:
    """The number that is written, as JSON would have it; None if it is none."""
    if not NUMBER.fullmatch(text):
        return None
    return Decimal(text) if "." in text else int(text)
