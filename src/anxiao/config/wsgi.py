"""Django as WSGI: the console's half of the house."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "anxiao.config.settings")
application = get_wsgi_application()
