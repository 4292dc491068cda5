import django.db.models.deletion
from django.db import migrations, models

from anxiao.base.schema import with_school_security


class Migration(migrations.Migration):

    dependencies = [
        ('directory', '0006_roster'),
    ]

    operations = [
        migrations.CreateModel(
            name='PersonSearch',
            fields=[
                ('person', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='search', serialize=False, to='directory.person')),
                ('school_id', models.IntegerField()),
                ('pinyin', models.TextField()),
                ('initials', models.TextField()),
                ('backwards', models.TextField(help_text='the name from its end')),
                ('tail', models.BigIntegerField(help_text='blind index of the last four digits of the phone', null=True)),
                ('key_id', models.IntegerField(help_text='under which key the tail was hashed')),
                ('made_from', models.DateTimeField()),
            ],
            options={
                'db_table': 'person_search',
                'indexes': [
                    models.Index('school_id', 'pinyin', 'person', name='person_search_pinyin'),
                    models.Index('school_id', 'initials', 'person', name='person_search_initials'),
                    models.Index('school_id', 'backwards', 'person', name='person_search_backwards'),
                    models.Index('tail', 'school_id', name='person_search_tail'),
                ],
            },
        ),
        migrations.CreateModel(
            name='ProfileProposal',
            fields=[
                ('id', models.AutoField(primary_key=True, serialize=False)),
                ('school_id', models.IntegerField()),
                ('field', models.CharField(choices=[('name', 'Name'), ('number', 'Number'), ('category', 'Category'), ('class', 'Class or unit')], max_length=10)),
                ('before', models.CharField(help_text='as it was shown when they asked', max_length=130)),
                ('wanted', models.CharField(help_text='as it is shown', max_length=130)),
                ('wanted_id', models.IntegerField(help_text='the class or category that is meant', null=True)),
                ('reason', models.CharField(max_length=300)),
                ('state', models.CharField(choices=[('open', 'Waiting to be confirmed'), ('confirmed', 'Confirmed as asked'), ('declined', 'Declined'), ('withdrawn', 'Taken back')], default='open', max_length=10)),
                ('asked_by', models.IntegerField()),
                ('asked_at', models.DateTimeField()),
                ('decided_by', models.IntegerField(null=True)),
                ('decided_by_name', models.CharField(blank=True, max_length=150)),
                ('decided_at', models.DateTimeField(null=True)),
                ('answer', models.CharField(blank=True, max_length=300)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='proposals', to='directory.person')),
            ],
            options={
                'db_table': 'profile_proposal',
                'ordering': ['-id'],
                'indexes': [
                    models.Index('school_id', 'id', condition=models.Q(('state', 'open')), name='profile_proposal_open'),
                    models.Index('person', 'id', name='profile_proposal_person'),
                ],
                'constraints': [
                    models.UniqueConstraint('person', 'field', condition=models.Q(('state', 'open')), name='profile_proposal_one_open'),
                ],
            },
        ),
        with_school_security("person_search", "SELECT, INSERT, UPDATE"),
        with_school_security("profile_proposal", "SELECT, INSERT, UPDATE"),
    ]
