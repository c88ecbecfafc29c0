"""What templates write of texts that users chose."""

from django import template

from instances.text import isolated, visible

register = template.Library()
for each in (visible, isolated):
    register.filter(each)
