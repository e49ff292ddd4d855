from typing import Any

from django import forms
from django.conf import settings

from enrollments.admin.reasons import LEAVING, ReasonField
from enrollments.enums import Effective
from enrollments.uploaded import MOST_ROWS, Given, UnusableList, read_list
from targets.models import Target, TargetGroup

MEGABYTES = settings.FILE_UPLOAD_MAX_MEMORY_SIZE // 1024**2


class UploadForm(forms.Form):
    """A list of customers, what they are to leave, when and why. `given` is who is named, once it is valid."""

    target = forms.ModelChoiceField(queryset=Target.objects.none(), empty_label=None)
    list = forms.FileField(
        label="List of customers",
        allow_empty_file=True,
        help_text=f"CSV in UTF-8: one column with customer ids or external ids, at most {MOST_ROWS:,} lines.",
        error_messages={"required": "Choose a file."},
    )
    effective = forms.ChoiceField(label="When", choices=Effective.choices, widget=forms.RadioSelect, initial="now")
    reason = ReasonField(LEAVING, help_text="Kept on each receipt, at most 500 characters.")
    include_inactive = forms.BooleanField(
        required=False, label="Also in an inactive programme", help_text="Inactive programmes are frozen for clients."
    )

    def __init__(self, group: TargetGroup, *args: Any, is_too_large: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.given: list[Given] = []
        targets = group.targets.select_related("target_group").order_by("pk")
        self.fields["target"].queryset = targets  # type: ignore[attr-defined]  # of its field
        if group.is_active and all(each.is_active for each in targets):
            del self.fields["include_inactive"]
        if is_too_large:
            self.fields["list"].error_messages["required"] = f"The file is larger than {MEGABYTES} MB: divide it."

    def clean_list(self) -> Any:
        upload = self.cleaned_data["list"]
        try:
            self.given = read_list(upload.read())
        except UnusableList as problem:
            raise forms.ValidationError([*problem.problems, "Nothing was taken."]) from None
        return upload

    @property
    def file_name(self) -> str:
        return "".join(filter(str.isprintable, self.cleaned_data["list"].name or ""))[:100]
