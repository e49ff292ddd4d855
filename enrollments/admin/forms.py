from django import forms

from enrollments.admin.reasons import LEAVING, STAYING, UNDOING, ReasonField


class ChangeForm(forms.Form):
    """What somebody says who ends an enrolment, or keeps it up."""

    reason = ReasonField(LEAVING)
    include_inactive = forms.BooleanField(
        required=False, label="Also in an inactive programme", help_text="Inactive programmes are frozen for clients."
    )


class CancelForm(ChangeForm):
    reason = ReasonField(STAYING)


class UndoForm(forms.Form):
    """Nothing is asked of inactive programmes: what is frozen is not undone, for staff neither."""

    reason = ReasonField(UNDOING)
