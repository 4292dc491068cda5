"""The front door's address: /."""

from __future__ import annotations

from django.urls import path

from anxiao.portal import views

urlpatterns = [path("", views.front_door, name="front_door")]
