from django.db import migrations, models

TEMPLATES = [
    ('students', 'Students'),
    ('staff', 'Staff'),
    ('dormitory', 'Dormitories'),
    ('responsibles', 'Responsible persons of the grid'),
]


class Migration(migrations.Migration):

    dependencies = [
        ('directory', '0009_clinics_and_gates'),
    ]

    operations = [
        migrations.AlterField(
            model_name='directoryimport',
            name='template',
            field=models.CharField(choices=TEMPLATES, max_length=12),
        ),
        migrations.AlterField(
            model_name='importheader',
            name='template',
            field=models.CharField(choices=TEMPLATES, max_length=12),
        ),
    ]
