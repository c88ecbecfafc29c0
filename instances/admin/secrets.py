"""Tokens of users and of nodes. Their SHA-256 is stored; the token itself is shown once, when it is issued."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AutocompleteSelect
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from oauth2_provider.models import AccessToken

from instances import node_tokens, tokens
from instances.admin import show
from instances.admin.base import MeshAdmin
from instances.admin.forms import CheckedForm
from instances.models import Instance, NodeToken
from instances.reader import Reader
from instances.text import ago

SHOWN = 8  # last characters of a checksum
FINGERPRINT = "The last characters of the token's SHA-256: printf %s TOKEN | sha256sum"


class SecretAdmin(MeshAdmin):
    """Tokens: issued, listed and revoked. Neither kind is mirrored."""

    actions = ["revoke"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown

    shown: tuple[str, ...] = ()

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> Any:
        """The page with the new token. Not a redirect, since the token is not stored."""
        context = {
            **self.admin_site.each_context(request),
            "title": "New token",
            "opts": self.opts,
            "media": self.media,
            "raw": obj.raw,
            "what_next": self.what_next(obj),
            "changelist": self.url_of("changelist"),
        }
        return TemplateResponse(request, "admin/instances/token_issued.html", context)

    def what_next(self, token: Any) -> str:
        raise NotImplementedError

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return self.has_delete_permission(request)

    @admin.action(description="Revoke …", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: Any) -> Any:
        selected = self.selected(request, queryset)
        if selected and not self.is_confirmed(request):
            return self.confirmation_page(
                request,
                selected,
                title="Revoke tokens",
                explanation="Requests with these tokens are refused from now on.",
                details=show.table(
                    "Tokens", ("Token", "Fingerprint"), ((each, self.fingerprint(each)) for each in selected)
                ),
                button="Revoke",
            )
        return self.run_action(request, selected, lambda token: token.delete(), "revoked", "Revoked.")

    def fingerprint(self, token: Any) -> str:
        raise NotImplementedError


class TokenForm(CheckedForm):
    checks = {"scope": lambda token, scope: tokens.checked_scope(scope)}
    scope = forms.ChoiceField(choices=[("read", "Read"), ("write", "Read and change"), ("read write", "Both")])
    description = forms.CharField(required=False, help_text="What the token is for.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_change:
            self.initial["description"] = self.instance.description


@admin.register(AccessToken)
class AccessTokenAdmin(SecretAdmin):
    """Superusers and auditors see every token, others their own; owners and superusers change and revoke them."""

    form = TokenForm
    list_display = ["id", "owner", "shown_scope", "shown_description", "expiry", "made", "fingerprint"]
    search_fields = ["user__username", "note__description"]
    ordering = ["id"]
    shown = ("owner", "expiry_exactly", "made", "fingerprint")

    def get_queryset(self, request: HttpRequest) -> Any:
        return tokens.visible_to(Reader.of(request.user))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None:
            return [(None, {"fields": [*self.shown, "scope", "description"]})]
        explanation = "A token for yourself, with your rights. Tokens for other users cannot be issued."
        return [(None, {"fields": ["scope", "description"], "description": explanation})]

    def owns(self, request: HttpRequest, token: Any) -> bool:
        return token is None or bool(request.user.is_superuser) or token.user_id == request.user.pk

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.owns(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.owns(request, obj)

    def selected(self, request: HttpRequest, queryset: Any) -> list[Any]:
        selected = super().selected(request, queryset)
        own = [token for token in selected if self.owns(request, token)]
        if len(own) < len(selected):
            self.message_user(request, f"{len(selected) - len(own)} tokens belong to other users.", messages.ERROR)
        return own

    @admin.display(description="owner", ordering="user__username")
    def owner(self, token: Any) -> SafeString:
        return show.name(token.user.username)

    @admin.display(description="scope", ordering="scope")
    def shown_scope(self, token: Any) -> SafeString:
        return show.badge("quiet" if "write" not in token.scope.split() else "unsure", token.scope)

    @admin.display(description="description")
    def shown_description(self, token: Any) -> SafeString | str:
        return show.brief(token.description)

    @admin.display(description="expires", ordering="expires")
    def expiry(self, token: Any) -> SafeString | str:
        if token.expires <= timezone.now():
            return show.badge("bad", f"expired {ago(token.expires)}")
        return show.when(token.expires)

    expiry_exactly = admin.display(description="expires")(lambda self, token: show.when_exactly(token.expires))

    @admin.display(description="issued", ordering="created")
    def made(self, token: Any) -> SafeString | str:
        return show.when(token.created)

    @admin.display(description="fingerprint")
    def fingerprint(self, token: Any) -> str:
        return f"…{token.token_checksum[-SHOWN:]}"

    def what_next(self, token: Any) -> str:
        return "Send the token in the header “Authorization: Bearer …”."

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = form.values()
        if change:
            tokens.change(obj, values)
            return
        issued, obj.raw = tokens.issue(request.user, values["scope"], values["description"])  # type: ignore[arg-type]
        obj.pk = issued.pk


class NodeTokenForm(CheckedForm):
    node = forms.ModelChoiceField(
        queryset=Instance.objects.all(),
        widget=AutocompleteSelect(NodeToken._meta.get_field("instance"), admin.site),
        help_text="The node that reports itself with the token. The token allows nothing else.",
    )
    replaces = forms.BooleanField(required=False, label="Revoke the node's earlier tokens")


@admin.register(NodeToken)
class NodeTokenAdmin(SecretAdmin):
    """For superusers only: the API does not show these tokens."""

    form = NodeTokenForm
    list_display = ["id", "shown_node", "made", "fingerprint"]
    search_fields = ["instance__hostname"]
    list_select_related = ["instance"]
    ordering = ["instance__hostname", "id"]
    shown = ("shown_node", "made", "fingerprint")

    def get_queryset(self, request: HttpRequest) -> Any:
        return NodeToken.objects.select_related("instance")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": ["node", "replaces"] if obj is None else self.shown})]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="node", ordering="instance__hostname")
    def shown_node(self, token: NodeToken) -> SafeString:
        return show.name(token.instance)

    @admin.display(description="issued", ordering="created")
    def made(self, token: NodeToken) -> SafeString | str:
        return show.when_exactly(token.created)

    @admin.display(description="fingerprint")
    def fingerprint(self, token: NodeToken) -> str:
        return f"…{token.checksum[-SHOWN:]}"

    def what_next(self, token: Any) -> str:
        return (
            f"Save the token on {token.instance} in a file that only its agent can read, and run: awx-node-report "
            f"--url https://THIS-SERVICE --hostname {token.instance} --token-file FILE --every 60"
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.instance = form.cleaned_data["node"]
        issue = node_tokens.replace if form.cleaned_data["replaces"] else node_tokens.issue
        obj.raw = issue(obj.instance)
        obj.pk = NodeToken.objects.get(checksum=tokens.checksum(obj.raw)).pk
