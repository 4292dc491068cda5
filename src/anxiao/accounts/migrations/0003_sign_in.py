from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Upper

# Both web processes count failed sign-ins and remember used one-time codes here.  Unlogged, because losing it in a
# crash costs nothing, and writing it ahead would cost every failed sign-in a flush to disk.
CACHE = """
CREATE UNLOGGED TABLE django_cache (
    cache_key varchar(255) PRIMARY KEY,
    value text NOT NULL,
    expires timestamptz NOT NULL
);
CREATE INDEX django_cache_expires ON django_cache (expires);
"""


class Migration(migrations.Migration):
    """First passwords that must be changed, names found whatever their capitals, codes found by digest, the cache."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("accounts", "0002_fences")]
    operations: ClassVar[list[object]] = [
        migrations.RunSQL(CACHE, "DROP TABLE django_cache"),
        migrations.AddField("user", "must_change_password", models.BooleanField(default=False, db_default=False)),
        migrations.AddIndex("user", models.Index(Upper("username"), name="account_upper_name")),
        migrations.AddConstraint(
            "activationcode", models.UniqueConstraint("school_id", "code_hash", name="activation_one_hash")
        ),
    ]
