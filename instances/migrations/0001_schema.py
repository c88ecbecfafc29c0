"""The tables, as the models are, and the collation that names are compared by.

Columns stand in the order in which databases that were migrated step by step have them.
"""

import django.contrib.auth.validators
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import instances.models.fields
from django.conf import settings
from django.db import migrations, models


# Ordered by code point, as C, with Unicode's cases. PostgreSQL brings one of its own from 17 on; before, the system's.
MAKE_COLLATION = """
DO $$ BEGIN
    IF current_setting('server_version_num')::int >= 170000 THEN
        CREATE COLLATION mesh_text (provider = builtin, locale = 'C.UTF-8');
    ELSIF EXISTS (SELECT FROM pg_collation WHERE collname IN ('C.utf8', 'C.UTF-8')) THEN
        CREATE COLLATION mesh_text (provider = libc, locale = 'C.UTF-8');
    ELSE
        CREATE COLLATION mesh_text FROM "C";
    END IF;
END $$;
"""


# What this set of migrations took the place of. A database has all of them or none (instances/upgrading.py).
REPLACED = [
    '0001_initial', '0002_job_counters', '0004_health', '0005_load_baseline', '0006_counting_slots',
    '0008_isolated_writers', '0009_what_is_known', '0010_left_out', '0011_login_failures',
]


class Migration(migrations.Migration):

    initial = True
    replaces = [('instances', name) for name in REPLACED]

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.RunSQL(MAKE_COLLATION, 'DROP COLLATION mesh_text'),
        migrations.CreateModel(
            name='Instance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('modified', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('hostname', instances.models.fields.NameField(db_collation='mesh_text', error_messages={'unique': 'This field must be unique.'}, max_length=250, unique=True)),
                ('uuid', models.CharField(default='00000000-0000-0000-0000-000000000000', max_length=40)),
                ('ip_address', models.CharField(blank=True, default='', max_length=50)),
                ('version', models.CharField(blank=True, default='', max_length=120)),
                ('node_type', models.CharField(choices=[('control', 'Control plane node'), ('execution', 'Execution plane node'), ('hybrid', 'Controller and execution'), ('hop', 'Message-passing node, no execution capability')], default='hybrid', help_text='Role that this node plays in the mesh.', max_length=16)),
                ('node_state', models.CharField(choices=[('provisioning', 'Provisioning'), ('provision-fail', 'Provisioning Failure'), ('installed', 'Installed'), ('ready', 'Ready'), ('unavailable', 'Unavailable'), ('deprovisioning', 'De-provisioning'), ('deprovision-fail', 'De-provisioning Failure')], default='ready', help_text='Indicates the current life cycle stage of this instance.', max_length=16)),
                ('last_seen', models.DateTimeField(blank=True, editable=False, help_text='Last time instance ran its heartbeat task for main cluster nodes. Last known connection to receptor mesh for execution nodes.', null=True)),
                ('health_check_started', models.DateTimeField(blank=True, editable=False, help_text='The last time a health check was initiated on this instance.', null=True)),
                ('last_health_check', models.DateTimeField(blank=True, editable=False, help_text='Last time a health check was ran on this instance to refresh cpu, memory, and capacity.', null=True)),
                ('errors', models.TextField(blank=True, default='', editable=False, help_text='Any error details from the last health check.')),
                ('cpu', models.DecimalField(decimal_places=1, default=0, editable=False, max_digits=4, validators=[django.core.validators.MinValueValidator(0)])),
                ('memory', models.BigIntegerField(default=0, editable=False, help_text='Total system memory of this instance in bytes.', validators=[django.core.validators.MinValueValidator(0)])),
                ('cpu_capacity', models.IntegerField(default=0, editable=False)),
                ('mem_capacity', models.IntegerField(default=0, editable=False)),
                ('capacity', models.PositiveIntegerField(default=100, editable=False)),
                ('capacity_adjustment', models.DecimalField(decimal_places=2, default=1, max_digits=3, validators=[django.core.validators.MinValueValidator(0)])),
                ('enabled', models.BooleanField(default=True)),
                ('managed_by_policy', models.BooleanField(default=True)),
                ('listener_port', models.PositiveIntegerField(blank=True, help_text='Port that Receptor will listen for incoming connections on.', null=True, validators=[django.core.validators.MaxValueValidator(65535)])),
                ('peers_from_control_nodes', models.BooleanField(default=False, help_text='If True, control plane cluster nodes should automatically peer to it.')),
            ],
        ),
        migrations.CreateModel(
            name='JobCount',
            fields=[
                ('pk', models.CompositePrimaryKey('node', 'status', 'launch_type', 'slot', blank=True, editable=False, primary_key=True, serialize=False)),
                ('node', instances.models.fields.NameField(blank=True, db_collation='mesh_text', default='', max_length=250)),
                ('status', models.CharField(max_length=20)),
                ('launch_type', models.CharField(max_length=20)),
                ('slot', models.IntegerField(help_text='The place of one of the writers that are at work at the same time.')),
                ('jobs', models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='LeftOutJob',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('ended', models.BooleanField(help_text='Whether it had ended when it was read; if not, it may fit once it has.')),
            ],
        ),
        migrations.CreateModel(
            name='MeshInspection',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('inspector', models.CharField(help_text='CLUSTER_HOST_ID of the worker.', max_length=250, unique=True)),
                ('began', models.DateTimeField()),
                ('watching_since', models.DateTimeField(help_text='Since when it looked without a gap: silence before counts not.')),
                ('seconds', models.FloatField(default=0)),
                ('error', models.TextField(blank=True, default='', help_text='Why it failed; empty where it did not.')),
                ('unknown_nodes', models.JSONField(default=list, help_text='Hostnames on the mesh that no instance has.')),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('username', instances.models.fields.NameField(db_collation='mesh_text', error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()])),
                ('is_system_auditor', models.BooleanField(default=False, help_text='May read everything and change nothing.', verbose_name='system auditor')),
                ('mirrored', models.BooleanField(default=False, editable=False, help_text='Whether a mirrored AWX told of this user, and may take it away.')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='GroupLoad',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('group', models.BigIntegerField()),
                ('jobs_total', models.BigIntegerField()),
                ('jobs_running', models.BigIntegerField(help_text='running or waiting')),
                ('impact', models.BigIntegerField(help_text='task impact of jobs_running')),
                ('baseline', models.BooleanField(db_default=False, default=False, help_text='What a mirrored AWX tells beyond the jobs that are kept here.')),
                ('slot', models.IntegerField(help_text='The place of one of the writers that are at work at the same time. A baseline has none.', null=True)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('group', 'slot'), name='load_by_group'), models.UniqueConstraint(condition=models.Q(('baseline', True)), fields=('group',), name='one_baseline_by_group')],
            },
        ),
        migrations.CreateModel(
            name='NodeHealth',
            fields=[
                ('instance', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='health', serialize=False, to='instances.instance')),
                ('advertised', models.JSONField(default=dict, help_text="For each inspector the time in the node's last advertisement there, by the node's own clock.")),
                ('sighted', models.DateTimeField(help_text="When it was last seen, by the service's clock.", null=True)),
                ('lost_since', models.DateTimeField(help_text='When the node was found lost; empty again once it was seen often enough.', null=True)),
                ('sightings', models.PositiveSmallIntegerField(default=0, help_text='How often it was seen since it was lost.')),
                ('check_outcome', models.CharField(blank=True, choices=[('CheckPassed', 'The node reported without an error'), ('NodeReportedErrors', 'The node reported errors'), ('NodeUnreachable', 'The mesh could not bring the check to the node'), ('WorkTypeMissing', 'The node does not offer the work type ansible-runner'), ('WorkRefused', 'Receptor refused the check, or it failed on the node'), ('RunnerTooOld', "The node's ansible-runner cannot report"), ('OutputNotUnderstood', 'What the node answered is no report'), ('OutputTooLarge', 'The node answered far more than a report'), ('CheckTimedOut', 'The node did not answer in time'), ('CheckExpired', 'Nothing came back from the check'), ('ReceptorUnavailable', "The control socket of this node's own Receptor does not answer"), ('RunnerMissing', 'ansible-runner cannot be started')], default='', max_length=24)),
                ('disabled_reason', models.TextField(blank=True, default='', help_text='Why an operator disabled the node; empty while it is enabled.')),
            ],
        ),
        migrations.CreateModel(
            name='InstanceGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('modified', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('name', instances.models.fields.NameField(db_collation='mesh_text', error_messages={'unique': 'Instance group with this Name already exists.'}, help_text='Name of this instance group.', max_length=250, unique=True)),
                ('is_container_group', models.BooleanField(default=False, help_text='Indicates whether instances in this group are containerized.Containerized groups have a designated Openshift or Kubernetes cluster.')),
                ('credential', models.BigIntegerField(blank=True, null=True)),
                ('credential_summary', instances.models.fields.VerbatimJSONField(blank=True, editable=False, null=True)),
                ('pod_spec_override', models.TextField(blank=True, default='')),
                ('max_concurrent_jobs', models.IntegerField(default=0, help_text='Maximum number of concurrent jobs to run on a group. When set to zero, no maximum is enforced.', validators=[django.core.validators.MinValueValidator(0)])),
                ('max_forks', models.IntegerField(default=0, help_text='Maximum number of forks to execute concurrently on a group. When set to zero, no maximum is enforced.', validators=[django.core.validators.MinValueValidator(0)])),
                ('policy_instance_percentage', models.IntegerField(default=0, help_text='Minimum percentage of all instances that will be automatically assigned to this group when new instances come online.', validators=[django.core.validators.MinValueValidator(0), django.core.validators.MaxValueValidator(100)])),
                ('policy_instance_minimum', models.IntegerField(default=0, help_text='Static minimum number of Instances that will be automatically assign to this group when new instances come online.', validators=[django.core.validators.MinValueValidator(0)])),
                ('policy_instance_list', models.JSONField(blank=True, default=list, help_text='List of exact-match Instances that will be assigned to this group')),
                ('instances', models.ManyToManyField(blank=True, related_name='rampart_groups', to='instances.instance')),
            ],
        ),
        migrations.CreateModel(
            name='InstanceGroupRole',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('role', models.CharField(choices=[('admin_role', 'Admin'), ('use_role', 'Use'), ('read_role', 'Read')], max_length=16)),
                ('instance_group', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='user_roles', to='instances.instancegroup')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='instance_group_roles', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.CreateModel(
            name='InstanceLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('link_state', models.CharField(choices=[('adding', 'Adding'), ('established', 'Established'), ('removing', 'Removing')], default='adding', help_text='Indicates the current life cycle stage of this peer link.', max_length=16)),
                ('source', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='instances.instance')),
                ('target', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='reverse_peers', to='instances.instance')),
            ],
        ),
        migrations.AddField(
            model_name='instance',
            name='peers',
            field=models.ManyToManyField(related_name='peers_from', through='instances.InstanceLink', through_fields=('source', 'target'), to='instances.instance'),
        ),
        migrations.CreateModel(
            name='LoginFailures',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='The digest of the name; empty is any.', max_length=64)),
                ('address', models.CharField(help_text='The address, or of IPv6 its network; empty is any.', max_length=50)),
                ('failures', models.PositiveIntegerField(default=0)),
                ('until', models.DateTimeField(help_text='When these failures are forgotten.')),
                ('known_until', models.DateTimeField(help_text='How long the address counts as one of who has the name.', null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['address'], name='instances_l_address_34a013_idx'), models.Index(fields=['until'], name='instances_l_until_b10076_idx')],
                'constraints': [models.UniqueConstraint(fields=('name', 'address'), name='one_count_of_failures')],
            },
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
                ('left_out', models.JSONField(default=dict, help_text='By kind, how many records AWX has that cannot be held here.')),
                ('left_out_names', models.JSONField(default=list, help_text='Which they are, and why: the first ones.')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='mirror_is_the_only_one')],
            },
        ),
        migrations.CreateModel(
            name='NodeLoad',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('jobs_total', models.BigIntegerField()),
                ('jobs_running', models.BigIntegerField(help_text='running or waiting, as execution node')),
                ('impact', models.BigIntegerField(help_text='task impact of jobs_running')),
                ('jobs_controlled', models.BigIntegerField(help_text='running or waiting, as controller node')),
                ('node', models.ForeignKey(db_column='node', db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='loads', to='instances.instance', to_field='hostname')),
                ('baseline', models.BooleanField(db_default=False, default=False, help_text='What a mirrored AWX tells beyond the jobs that are kept here.')),
                ('slot', models.IntegerField(help_text='The place of one of the writers that are at work at the same time. A baseline has none.', null=True)),
            ],
        ),
        migrations.CreateModel(
            name='NodeToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('checksum', models.CharField(max_length=64, unique=True)),
                ('created', models.DateTimeField(auto_now_add=True)),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='node_tokens', to='instances.instance')),
            ],
        ),
        migrations.CreateModel(
            name='UnifiedJob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('project_update', 'SCM Update'), ('inventory_update', 'Inventory Sync'), ('job', 'Playbook Run'), ('ad_hoc_command', 'Command'), ('system_job', 'Management Job'), ('workflow_job', 'Workflow Job')], max_length=32)),
                ('name', models.CharField(blank=True, default='', max_length=512)),
                ('description', models.TextField(blank=True, default='')),
                ('unified_job_template', models.BigIntegerField(blank=True, null=True, verbose_name='unified job template')),
                ('launch_type', models.CharField(choices=[('manual', 'Manual'), ('relaunch', 'Relaunch'), ('callback', 'Callback'), ('scheduled', 'Scheduled'), ('dependency', 'Dependency'), ('workflow', 'Workflow'), ('webhook', 'Webhook'), ('sync', 'Sync'), ('scm', 'SCM Update')], default='manual', max_length=20)),
                ('execution_environment', models.BigIntegerField(blank=True, help_text='The container image to be used for execution.', null=True)),
                ('status', models.CharField(choices=[('new', 'New'), ('pending', 'Pending'), ('waiting', 'Waiting'), ('running', 'Running'), ('successful', 'Successful'), ('failed', 'Failed'), ('error', 'Error'), ('canceled', 'Canceled')], default='new', max_length=20)),
                ('created', models.DateTimeField()),
                ('modified', models.DateTimeField()),
                ('started', models.DateTimeField(blank=True, help_text='The date and time the job was queued for starting.', null=True)),
                ('finished', models.DateTimeField(blank=True, help_text='The date and time the job finished execution.', null=True)),
                ('canceled_on', models.DateTimeField(blank=True, help_text='The date and time when the cancel request was sent.', null=True)),
                ('elapsed', models.DecimalField(decimal_places=3, default=0, help_text='Elapsed time in seconds that the job ran.', max_digits=12)),
                ('failed', models.BooleanField(default=False)),
                ('job_explanation', models.TextField(blank=True, default='', help_text="A status field to indicate the state of the job if it wasn't able to run and capture stdout")),
                ('execution_node', instances.models.fields.NameField(blank=True, db_collation='mesh_text', default='', help_text='The node the job executed on.', max_length=250)),
                ('controller_node', instances.models.fields.NameField(blank=True, db_collation='mesh_text', default='', help_text='The instance that managed the execution environment.', max_length=250)),
                ('work_unit_id', models.CharField(blank=True, help_text='The Receptor work unit ID associated with this job.', max_length=255, null=True)),
                ('task_impact', models.PositiveIntegerField(default=0)),
                ('representation', instances.models.fields.VerbatimJSONField()),
                ('instance_group', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='jobs', to='instances.instancegroup')),
            ],
        ),
        migrations.CreateModel(
            name='Condition',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type', models.CharField(choices=[('Seen', 'Seen'), ('HealthChecked', 'Health Checked'), ('Reachable', 'Reachable'), ('CapacityReported', 'Capacity Reported'), ('Enabled', 'Enabled')], max_length=20)),
                ('status', models.CharField(choices=[('True', 'True'), ('False', 'False'), ('Unknown', 'Unknown')], max_length=8)),
                ('reason', models.CharField(max_length=24)),
                ('message', models.TextField(blank=True, default='')),
                ('last_transition', models.DateTimeField(help_text='When the status became what it is; null where that is not known.', null=True)),
                ('instance', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='conditions', to='instances.instance')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('instance', 'type'), name='condition_is_unique')],
            },
        ),
        migrations.AddConstraint(
            model_name='instancegroup',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='group_has_a_name'),
        ),
        migrations.AddConstraint(
            model_name='instancegroup',
            constraint=models.CheckConstraint(condition=models.Q(('policy_instance_percentage__range', (0, 100))), name='group_percentage_in_range'),
        ),
        migrations.AddConstraint(
            model_name='instancegroup',
            constraint=models.CheckConstraint(condition=models.Q(('policy_instance_minimum__gte', 0)), name='group_minimum_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='instancegroup',
            constraint=models.CheckConstraint(condition=models.Q(('max_concurrent_jobs__gte', 0), ('max_forks__gte', 0)), name='group_limits_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='instancegrouprole',
            constraint=models.UniqueConstraint(fields=('user', 'instance_group', 'role'), name='role_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='instancelink',
            constraint=models.UniqueConstraint(fields=('source', 'target'), name='link_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='instancelink',
            constraint=models.CheckConstraint(condition=models.Q(('source', models.F('target')), _negated=True), name='link_joins_two_instances'),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.UniqueConstraint(condition=models.Q(('ip_address', ''), _negated=True), fields=('ip_address',), name='instance_ip_address_is_unique'),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.CheckConstraint(condition=models.Q(('hostname', ''), _negated=True), name='instance_has_a_hostname'),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.CheckConstraint(condition=models.Q(('capacity_adjustment__gte', 0)), name='instance_capacity_adjustment_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.CheckConstraint(condition=models.Q(('cpu__gte', 0)), name='instance_cpu_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.CheckConstraint(condition=models.Q(('memory__gte', 0)), name='instance_memory_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='instance',
            constraint=models.CheckConstraint(condition=models.Q(('listener_port__isnull', True), ('listener_port__range', (0, 65535)), _connector='OR'), name='instance_listener_port_in_range'),
        ),
        migrations.AddConstraint(
            model_name='nodeload',
            constraint=models.UniqueConstraint(fields=('node', 'slot'), name='load_by_node'),
        ),
        migrations.AddConstraint(
            model_name='nodeload',
            constraint=models.UniqueConstraint(condition=models.Q(('baseline', True)), fields=('node',), name='one_baseline_by_node'),
        ),
        migrations.AddIndex(
            model_name='unifiedjob',
            index=models.Index(fields=['execution_node', 'id'], name='job_by_execution_node'),
        ),
        migrations.AddIndex(
            model_name='unifiedjob',
            index=models.Index(condition=models.Q(('status__in', ['running', 'waiting'])), fields=['controller_node'], name='active_job_by_controller_node'),
        ),
        migrations.AddConstraint(
            model_name='unifiedjob',
            constraint=models.CheckConstraint(condition=models.Q(('task_impact__gte', 0)), name='job_impact_not_negative'),
        ),
    ]
