"""The triggers that keep everybody but a sync from changing what is mirrored.

They are disabled until there is a mirror (instances.mirror.guard), so they cost nothing without one.
"""

from django.db import migrations

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

    replaces = [('instances', '0007_mirror')]
    dependencies = [
        ('instances', '0001_schema'),
    ]

    operations = [migrations.RunSQL(CREATE, DROP)]
