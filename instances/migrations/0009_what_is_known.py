"""Transitions whose time is not known, and why a node was disabled.

What was noted so far is dated by the last change of the instance where the transition was not seen; nothing tells these
times from the true ones, so none is kept.
"""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0008_isolated_writers'),
    ]

    operations = [
        migrations.AddField(
            model_name='nodehealth',
            name='disabled_reason',
            field=models.TextField(blank=True, default='', help_text='Why an operator disabled the node; empty while it is enabled.'),
        ),
        migrations.AlterField(
            model_name='condition',
            name='last_transition',
            field=models.DateTimeField(help_text='When the status became what it is; null where that is not known.', null=True),
        ),
        migrations.RunSQL('UPDATE instances_condition SET last_transition = NULL', 'DELETE FROM instances_condition'),
    ]
