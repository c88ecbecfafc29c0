"""The mirror of a live AWX, and the triggers that keep everybody but a sync from changing what is mirrored.

They are disabled until there is a mirror (instances.mirror.guard), so they cost nothing without one.
"""

import django.core.validators
from django.db import migrations, models

TABLES = (
    "instances_instance",
    "instances_instancelink",
    "instances_instancegroup",
    "instances_instancegroup_instances",
    "instances_unifiedjob",
)
REFUSE = """
CREATE FUNCTION instances_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mirrored text := (SELECT url FROM instances_mirror);
BEGIN
    IF mirrored IS NOT NULL THEN  -- whoever restores a database enables all triggers
        RAISE EXCEPTION USING
            ERRCODE = 'MIRRO',
            MESSAGE = format(
                'This service mirrors %s and changes nothing of it: change it there, or end the mirror by "manage.py sync_awx --detach".',
                mirrored
            );
    END IF;
    RETURN NULL;
END $$;
"""
TRIGGER = """
CREATE TRIGGER instances_mirrored BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table} FOR EACH STATEMENT
WHEN (current_setting('instances.syncing', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION instances_refuse_change();
ALTER TABLE {table} DISABLE TRIGGER instances_mirrored;
"""
CREATE = REFUSE + "".join(TRIGGER.format(table=table) for table in TABLES)
DROP = (
    "".join(f"DROP TRIGGER instances_mirrored ON {table};" for table in TABLES)
    + "DROP FUNCTION instances_refuse_change();"
)


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0006_counting_slots'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='mirrored',
            field=models.BooleanField(default=False, editable=False, help_text='Whether a mirrored AWX told of this user, and may take it away.'),
        ),
        migrations.CreateModel(
            name='Mirror',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('url', models.CharField(max_length=2000)),
                ('version', models.CharField(help_text='Of that AWX.', max_length=120)),
                ('all_jobs', models.BooleanField(default=False, help_text='Whether jobs that have ended are copied too.')),
                ('copied_to', models.BigIntegerField(default=0, help_text='Every job with an id up to this one was copied.')),
                ('every', models.FloatField(help_text='Seconds from one sync to the next, where they are repeated.', null=True)),
                ('began', models.DateTimeField(help_text='When the last sync that succeeded began to read.')),
                ('finished', models.DateTimeField(help_text='When it was written.')),
                ('records', models.JSONField(default=dict, help_text='By kind, how many there are and how many it changed.')),
                ('failures', models.PositiveIntegerField(default=0, help_text='Syncs that failed since.')),
                ('failures_total', models.PositiveIntegerField(default=0)),
                ('failed', models.DateTimeField(help_text='When the last one failed.', null=True)),
                ('failure', models.TextField(blank=True, default='', help_text='Why.')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='mirror_is_the_only_one')],
            },
        ),
        migrations.RemoveConstraint(
            model_name='instance',
            name='instance_listener_port_in_range',
        ),
        migrations.AlterField(
            model_name='instance',
            name='listener_port',
            field=models.PositiveIntegerField(blank=True, help_text='Port that Receptor will listen for incoming connections on.', null=True, validators=[django.core.validators.MaxValueValidator(65535)]),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.CheckConstraint(condition=models.Q(('listener_port__isnull', True), ('listener_port__range', (0, 65535)), _connector='OR'), name='instance_listener_port_in_range'),
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
