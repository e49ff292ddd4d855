"""Why people do what they do here: what they say most often, to be picked instead of typed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from rest_framework import serializers

from targets import fields

LEAVING = (
    "Asked to be taken out",
    "Enrolled by mistake",
    "No longer entitled",
    "Misuse",
    "Programme is being replaced",
)
STAYING = ("Changed his mind", "Scheduled by mistake", "Still entitled")
UNDOING = ("Taken out by mistake", "Wrong customer", "Wrong programme", "Changed his mind")
RETURNING = ("Asked to come back", "Taken out by mistake", "Entitled again")
ERASING = ("Asked to be erased", "Retention period is over", "Test customer")


class ReasonInput(forms.TextInput):
    """A text with proposals. The browser offers them; reasons.js makes buttons of them."""

    def __init__(self, common: Sequence[str]) -> None:
        super().__init__({"size": 80, "autocomplete": "off", "maxlength": 500, "list": "common-reasons"})
        self.common = common

    def render(self, name: str, value: Any, attrs: Mapping[str, Any] | None = None, renderer: Any = None) -> SafeString:
        options = format_html_join("", '<option value="{}"></option>', ([each] for each in self.common))
        field = super().render(name, value, dict(attrs or {}), renderer)
        return format_html('{}<datalist id="common-reasons">{}</datalist>', field, options)


class ReasonField(forms.CharField):
    """Why somebody does something: by the rules of the API, but never empty. `common`: what is proposed."""

    def __init__(self, common: Sequence[str], **options: Any) -> None:
        required = {"required": "Say why: the reason is kept on the receipt."}
        help_text = "Kept on the receipt, at most 500 characters."
        usual = {"label": "Reason", "help_text": help_text, "error_messages": required}
        super().__init__(**(usual | options | {"widget": ReasonInput(common)}))

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        try:
            return str(fields.ReasonField().run_validation(text))
        except serializers.ValidationError as error:
            raise forms.ValidationError([str(each) for each in error.detail]) from None
