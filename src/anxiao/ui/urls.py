from __future__ import annotations

from django.urls import path

from anxiao.ui import views

app_name = "ui"
urlpatterns = [path("ui", views.gallery, name="gallery")]
