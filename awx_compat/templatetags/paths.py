"""The tag of templates for paths of the API."""

from django import template

from awx_compat import paths

register = template.Library()


@register.simple_tag
def api_path(below: str) -> str:
    """The path of what is ``below`` /api/, in the form of the page's own."""
    return f"{paths.api()}{below}"
