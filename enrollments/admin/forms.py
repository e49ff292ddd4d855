from typing import Any

from django import forms
from rest_framework import serializers

from targets import fields


class ReasonField(forms.CharField):
    """Why somebody does something: by the rules of the API, but never empty."""

    widget = forms.TextInput(attrs={"size": 80, "autocomplete": "off"})

    def __init__(self, **options: Any) -> None:
        required = {"required": "Say why: the reason is kept on the receipt."}
        help_text = "Kept on the receipt, at most 500 characters."
        super().__init__(**({"label": "Reason", "help_text": help_text, "error_messages": required} | options))
        self.widget.attrs["maxlength"] = 500

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        try:
            return str(fields.ReasonField().run_validation(text))
        except serializers.ValidationError as error:
            raise forms.ValidationError([str(each) for each in error.detail]) from None


class ChangeForm(forms.Form):
    """What somebody says who ends an enrolment, or keeps it up."""

    reason = ReasonField()
    include_inactive = forms.BooleanField(
        required=False, label="Also in an inactive programme", help_text="Inactive programmes are frozen for clients."
    )
