"""Notes on tokens: apart from the schema, since the tables of tokens refer to its users."""

import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('instances', '0003_token_note'), ('instances', '0012_length_of_token_notes')]
    dependencies = [
        ('instances', '0002_guard'),
        ('oauth2_provider', '0022_refreshtoken_token_family_index'),
        migrations.swappable_dependency(settings.OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='TokenNote',
            fields=[
                ('token', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='note', serialize=False, to=settings.OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL)),
                ('description', models.TextField(blank=True, default='')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=django.db.models.lookups.LessThanOrEqual(django.db.models.functions.text.Length('description'), 1000), name='token_note_length')],
            },
        ),
    ]
