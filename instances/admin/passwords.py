"""Forms that set a password, and end the tokens that whoever knew the old one may have made."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm
from django.db import transaction

from instances import tokens


class RevokesTokens(forms.Form):
    """Part of a form whose ``save()`` returns the user."""

    revoke_tokens = forms.BooleanField(
        required=False,
        initial=True,
        label="Revoke all tokens of this user",
        help_text="A token goes on working with a new password unless it is revoked.",
    )

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        user = super().save(commit)  # type: ignore[misc]
        if self.cleaned_data["revoke_tokens"]:
            tokens.revoke_all(user)
        return user


class UserPasswordForm(RevokesTokens, AdminPasswordChangeForm):
    """A superuser sets the password of somebody."""


class OwnPasswordForm(RevokesTokens, PasswordChangeForm):
    """Somebody changes the own password."""
