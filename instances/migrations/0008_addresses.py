"""Links lead to receptor addresses; a node's port and peers_from_control_nodes are those of its canonical address.

A node gets one if it listens, if control nodes shall peer to it, or if a link leads to it; the address of a node that
does not listen has no port. Control and hybrid nodes are managed. The way back ends with an error that names what AWX
23 has no place for.
"""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

import instances.models.fields

FORWARD = """
SELECT set_config('instances.syncing', 'on', true);
INSERT INTO instances_receptoraddress
    (address, port, protocol, websocket_path, is_internal, canonical, peers_from_control_nodes, instance_id)
SELECT hostname, listener_port, 'tcp', '', false, true, peers_from_control_nodes, id FROM instances_instance AS node
WHERE listener_port IS NOT NULL OR peers_from_control_nodes
    OR EXISTS (SELECT FROM instances_instancelink WHERE target_instance_id = node.id)
ORDER BY id;
UPDATE instances_instancelink SET target_id = address.id
FROM instances_receptoraddress AS address WHERE address.instance_id = target_instance_id;
UPDATE instances_instance SET managed = true WHERE node_type IN ('control', 'hybrid');
SELECT set_config('instances.syncing', '', true);
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
BACK = """
DO $$
DECLARE
    lost text := (
        SELECT string_agg(what, ', ' ORDER BY what) FROM (
            SELECT format('the address %s of %s', address, hostname)
            FROM instances_receptoraddress AS address JOIN instances_instance AS node ON node.id = instance_id
            WHERE NOT canonical OR address <> hostname OR protocol <> 'tcp' OR websocket_path <> '' OR is_internal
                OR port NOT BETWEEN 0 AND 65535
            UNION ALL
            SELECT format('that %s is %smanaged', hostname, CASE WHEN managed THEN '' ELSE 'not ' END)
            FROM instances_instance WHERE managed <> (node_type IN ('control', 'hybrid'))
        ) AS found (what)
    );
BEGIN
    IF lost IS NOT NULL THEN
        RAISE EXCEPTION 'The earlier version cannot store %. Remove it first, or restore a backup.', lost;
    END IF;
END $$;
SELECT set_config('instances.syncing', 'on', true);
UPDATE instances_instance AS node
SET listener_port = port, peers_from_control_nodes = address.peers_from_control_nodes
FROM instances_receptoraddress AS address WHERE address.instance_id = node.id;
UPDATE instances_instancelink SET target_instance_id = address.instance_id
FROM instances_receptoraddress AS address WHERE address.id = target_id;
SELECT set_config('instances.syncing', '', true);
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
TRIGGERS = """
CREATE TRIGGER instances_mirrored BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON instances_receptoraddress
FOR EACH STATEMENT WHEN (current_setting('instances.syncing', true) IS DISTINCT FROM 'on')
EXECUTE FUNCTION instances_refuse_change();
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM instances_mirror) THEN
        ALTER TABLE instances_receptoraddress DISABLE TRIGGER instances_mirrored;
    END IF;
END $$;

CREATE FUNCTION instances_refuse_own_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM instances_instancelink AS link JOIN instances_receptoraddress AS address ON address.id = target_id
        WHERE source_id = instance_id
        AND CASE TG_TABLE_NAME WHEN 'instances_instancelink' THEN link.id = NEW.id ELSE address.id = NEW.id END
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            CONSTRAINT = 'link_joins_two_instances',
            MESSAGE = 'A link cannot lead to an address of its own source.';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER link_joins_two_instances AFTER INSERT OR UPDATE OF source_id, target_id ON instances_instancelink
FOR EACH ROW EXECUTE FUNCTION instances_refuse_own_address();
CREATE CONSTRAINT TRIGGER link_joins_two_instances AFTER UPDATE OF instance_id ON instances_receptoraddress
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION instances_refuse_own_address();
"""
DROP_TRIGGERS = """
DROP TRIGGER link_joins_two_instances ON instances_receptoraddress;
DROP TRIGGER link_joins_two_instances ON instances_instancelink;
DROP FUNCTION instances_refuse_own_address();
DROP TRIGGER instances_mirrored ON instances_receptoraddress;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0007_bundles'),
    ]

    operations = [
        migrations.RemoveField(model_name='instance', name='peers'),
        migrations.RemoveConstraint(model_name='instancelink', name='link_is_unique'),
        migrations.RemoveConstraint(model_name='instancelink', name='link_joins_two_instances'),
        migrations.CreateModel(
            name='ReceptorAddress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', instances.models.fields.NameField(help_text='Routable address for this instance.', max_length=255, verbose_name='address')),
                ('port', models.IntegerField(blank=True, default=27199, help_text='Port for the address.', null=True)),
                ('protocol', models.CharField(choices=[('tcp', 'TCP'), ('ws', 'WS'), ('wss', 'WSS')], default='tcp', help_text="Protocol to use for the Receptor listener, 'tcp', 'wss', or 'ws'.", max_length=10)),
                ('websocket_path', models.CharField(blank=True, default='', help_text='Websocket path.', max_length=255)),
                ('is_internal', models.BooleanField(default=False, help_text='If True, only routable within the Kubernetes cluster.')),
                ('canonical', models.BooleanField(default=False, help_text='If True, this address is the canonical address for the instance.')),
                ('peers_from_control_nodes', models.BooleanField(default=False, help_text='If True, control plane cluster nodes should automatically peer to it.')),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='receptor_addresses', to='instances.instance')),
            ],
            options={
                'verbose_name_plural': 'receptor addresses',
                'constraints': [
                    models.UniqueConstraint(fields=('address',), name='unique_receptor_address'),
                    models.UniqueConstraint(condition=Q(('canonical', True)), fields=('instance',), name='instance_has_one_canonical_address'),
                    models.CheckConstraint(condition=~Q(('address', '')), name='receptor_address_is_not_empty'),
                ],
            },
        ),
        migrations.AddField(
            model_name='instance',
            name='managed',
            field=models.BooleanField(default=False, editable=False, help_text='If True, this instance is managed by the control plane.'),
        ),
        migrations.RenameField(model_name='instancelink', old_name='target', new_name='target_instance'),
        migrations.AlterField(
            model_name='instancelink',
            name='target_instance',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='instances.instance'),
        ),
        migrations.AddField(
            model_name='instancelink',
            name='target',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='links', to='instances.receptoraddress'),
        ),
        migrations.RunSQL(FORWARD, BACK),
        migrations.AlterField(
            model_name='instancelink',
            name='target',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='links', to='instances.receptoraddress'),
        ),
        migrations.RemoveField(model_name='instancelink', name='target_instance'),
        migrations.RemoveConstraint(model_name='instance', name='instance_listener_port_in_range'),
        migrations.RemoveField(model_name='instance', name='listener_port'),
        migrations.RemoveField(model_name='instance', name='peers_from_control_nodes'),
        migrations.AddConstraint(
            model_name='instancelink',
            constraint=models.UniqueConstraint(fields=('source', 'target'), name='link_is_unique'),
        ),
        migrations.AddField(
            model_name='instance',
            name='peers',
            field=models.ManyToManyField(related_name='peers_from', through='instances.InstanceLink', through_fields=('source', 'target'), to='instances.receptoraddress'),
        ),
        migrations.AlterField(
            model_name='instancelink',
            name='source',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='links', to='instances.instance'),
        ),
        migrations.RunSQL(TRIGGERS, DROP_TRIGGERS),
    ]
