"""The address at which a supervisor asks whether the house answers."""

from __future__ import annotations

from django.urls import path

from anxiao.config.health import healthz

urlpatterns = [path("healthz", healthz, name="healthz")]
