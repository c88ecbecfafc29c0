"""Expressions that AWX filters by in place of a column: texts inside JSON, JSON as text, types of jobs, no as false."""

from django.db import models

from instances.lookups import COLLATION


class TextIn(models.Transform):
    """A text inside a JSON column; ``function``: the keys that lead to it."""

    output_field = models.TextField()
    template = f"((%(expressions)s #>> '{{%(function)s}}') COLLATE \"{COLLATION}\")"


class JobName(TextIn):
    lookup_name, function = "told_name", "name"


class JobDescription(TextIn):
    lookup_name, function = "told_description", "description"


class NameOfTemplate(TextIn):
    lookup_name, function = "name_of_template", "summary_fields,unified_job_template,name"


class AsText(models.Transform):
    """A JSON column as the text of its JSON."""

    lookup_name = "as_text"
    template = "(%(expressions)s)::text"
    output_field = models.TextField()


class WithoutUnderscores(models.Transform):
    """A type of jobs as AWX stores it, which it is filtered by."""

    lookup_name = "without_underscores"
    function = "REPLACE"
    template = "%(function)s(%(expressions)s, '_', '')"
    output_field = models.CharField()


class OrFalse(models.Transform):
    """A boolean of a related record; false where there is none."""

    lookup_name = "or_false"
    template = "COALESCE(%(expressions)s, false)"
    output_field = models.BooleanField()


for transform in (AsText, JobName, JobDescription, NameOfTemplate):
    models.JSONField.register_lookup(transform)
models.CharField.register_lookup(WithoutUnderscores)
models.BooleanField.register_lookup(OrFalse)
