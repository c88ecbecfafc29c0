"""Forms that set a password, and revoke the tokens that were issued with the old one."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AdminPasswordChangeForm, PasswordChangeForm
from django.db import transaction

from instances import tokens


class RevokesTokens(forms.Form):
    """Mixin for a form whose ``save()`` returns the user."""

    revoke_tokens = forms.BooleanField(
        required=False,
        initial=True,
        label="Revoke all tokens of this user",
        help_text="Tokens stay valid after a change of password unless they are revoked.",
    )

    @transaction.atomic
    def save(self, commit: bool = True) -> Any:
        user = super().save(commit)  # type: ignore[misc]
        if self.cleaned_data["revoke_tokens"]:
            tokens.revoke_all(user)
        return user


class UserPasswordForm(RevokesTokens, AdminPasswordChangeForm):
    """A superuser sets the password of a user."""


class OwnPasswordForm(RevokesTokens, PasswordChangeForm):
    """A user changes the own password."""
