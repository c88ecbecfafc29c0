from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('instances', '0009_what_is_known'),
    ]

    operations = [
        migrations.CreateModel(
            name='LeftOutJob',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('ended', models.BooleanField(help_text='Whether it had ended when it was read; if not, it may fit once it has.')),
            ],
        ),
        migrations.AddField(
            model_name='mirror',
            name='left_out',
            field=models.JSONField(default=dict, help_text='By kind, how many records AWX has that cannot be held here.'),
        ),
        migrations.AddField(
            model_name='mirror',
            name='left_out_names',
            field=models.JSONField(default=list, help_text='Which they are, and why: the first ones.'),
        ),
    ]
