"""Settings of the whole house.  Everything that differs between machines comes from the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.utils.translation import gettext_lazy as _

PACKAGE = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("ANXIAO_DATA", "var/data")).resolve()

DEBUG = os.environ.get("ANXIAO_DEBUG") == "1"
SECRET_KEY = os.environ.get("ANXIAO_SECRET_KEY", "")
if not SECRET_KEY:
    key_file = DATA / "secret_key"
    # without a key file only commands that sign nothing run (compile messages, checks); serving insists on one
    SECRET_KEY = key_file.read_text().strip() if key_file.exists() else "not-for-serving-" + os.urandom(24).hex()

ALLOWED_HOSTS = os.environ.get("ANXIAO_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("ANXIAO_ORIGINS", "").split(",") if o]


def database(url: str) -> dict[str, Any]:
    """Django's settings for a ``postgresql://user:password@host:port/name?host=/socket`` URL."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or query.pop("port", "") or ""),
        "OPTIONS": {
            **query,
            # Acknowledged means on disk, whatever the server's or the role's own setting says (docs/adr/0003); what
            # Citus needs later is harmless on plain PostgreSQL (citus.md rule 11).
            "options": "-c synchronous_commit=on -c citus.multi_shard_modify_mode=sequential "
            "-c citus.propagate_set_commands=local",
        },
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": False,
    }


_app = os.environ.get("DATABASE_URL", "postgresql://anxiao_app@/anxiao?host=" + str(DATA / "pgdata"))
DATABASES = {
    "default": database(_app),
    "owner": database(os.environ.get("ANXIAO_OWNER_URL", _app.replace("anxiao_app", "anxiao_owner"))),
    "bulk": database(os.environ.get("ANXIAO_BULK_URL", _app.replace("anxiao_app", "anxiao_bulk"))),
}
DATABASE_ROUTERS = ["anxiao.config.routers.OwnerMigrates"]

INSTALLED_APPS = [
    "anxiao.base",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django.forms",  # TemplatesSetting finds the widgets here; ours in ui/templates come first
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "procrastinate.contrib.django",
    "anxiao.ui",
    "anxiao.ledger",
    "anxiao.directory",
    "anxiao.accounts",
    "anxiao.questionnaires",
    "anxiao.statistics",
    "anxiao.reporting",
    "anxiao.portal",
    "anxiao.config",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "anxiao.ui.middleware.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "anxiao.accounts.middleware.ScopeMiddleware",
]

ROOT_URLCONF = "anxiao.config.urls"
ASGI_APPLICATION = "anxiao.config.asgi.application"
WSGI_APPLICATION = "anxiao.config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [PACKAGE / "ui" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "anxiao.ui.context.frame",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static", "anxiao.ui.templatetags.ui"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["anxiao.accounts.backends.AccountBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

# all web processes count failed sign-ins and used one-time codes in one place (an unlogged table)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "django_cache",
        "OPTIONS": {"MAX_ENTRIES": 50_000},
    }
}
# jobs: rooms ask for them by name (base/queue.py); only the worker loads what does them
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = ""
PROCRASTINATE_IMPORT_PATHS = ["anxiao.config.tasks"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
ACCOUNT_ADAPTER = "anxiao.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS: dict[str, Any] = {"login_failed": "10/5m/key", "login": None, "reauthenticate": "10/5m/user"}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
MFA_ADAPTER = "anxiao.accounts.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "安校 Anxiao"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True  # http://127.0.0.1 in the demo; a browser refuses it elsewhere anyway

# A demo says so on every page, and only in a demo may accounts without a second factor sign in.  The file is written
# when the demo province is complete.
ANXIAO_DEMO = os.environ.get("ANXIAO_DEMO") == "1" or (DATA / "demo.json").exists()

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LOCALE_PATHS = [PACKAGE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
USE_THOUSAND_SEPARATOR = False

STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("ANXIAO_STATIC", DATA / "static"))
# `anxiao serve` collects and compresses; tests and single commands read the files where they lie
COLLECTED = os.environ.get("ANXIAO_COLLECTED") == "1"
WHITENOISE_USE_FINDERS = not COLLECTED
WHITENOISE_AUTOREFRESH = DEBUG
# What the phone's pages wear, in this order. Collected it is one file: on a slow network every file is a round trip.
PHONE_STYLE = "ui/phone.css"
PHONE_STYLES = ["ui/tokens.css", "ui/h5.css", "accounts/h5.css", "portal/h5.css"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "anxiao.config.static.Collected"
        if COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# behind https everywhere but on this machine itself
HTTPS = os.environ.get("ANXIAO_HTTPS") == "1"
SESSION_COOKIE_NAME = "__Host-anxiao" if HTTPS else "anxiao"
CSRF_COOKIE_NAME = "__Host-anxiao-csrf" if HTTPS else "anxiao-csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 30 * 24 * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
