"""To which nodes Receptor knows no route; and the capacity of hop nodes that joined, which was never computed.

What a mirror holds is its AWX's, and stays as it is.
"""

from django.db import migrations, models

REPAIR = """
SELECT set_config('instances.syncing', 'on', true);
UPDATE instances_instance SET capacity = 0
WHERE node_type = 'hop' AND node_state <> 'installed' AND capacity <> 0 AND NOT EXISTS (SELECT FROM instances_mirror);
SELECT set_config('instances.syncing', '', true);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0004_counters'),
    ]

    operations = [
        migrations.AddField(
            model_name='meshinspection',
            name='unrouted',
            field=models.JSONField(default=None, help_text='Hostnames of instances that it knew no route to; null if it did not say.', null=True),
        ),
        migrations.RunSQL(REPAIR, migrations.RunSQL.noop),
    ]
