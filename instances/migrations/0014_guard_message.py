"""The guard of mirrored records names the command that is installed, as all other messages do."""

from django.db import migrations

REFUSE = """
CREATE OR REPLACE FUNCTION instances_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    mirrored text := (SELECT url FROM instances_mirror);
BEGIN
    IF mirrored IS NOT NULL THEN  -- whoever restores a database enables all triggers
        RAISE EXCEPTION USING
            ERRCODE = 'MIRRO',
            MESSAGE = format(
                'This service mirrors %s and changes nothing of it: change it there, or end the mirror by "{program} sync_awx --detach".',
                mirrored
            );
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [("instances", "0013_job_indexes")]

    operations = [
        migrations.RunSQL(REFUSE.replace("{program}", "awx-instances"), REFUSE.replace("{program}", "manage.py"))
    ]
