"""The phone's way in, beneath /h5/."""

from __future__ import annotations

from django.urls import path

from anxiao.accounts import views_h5 as views

app_name = "accounts"

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign_in"),
    path("activate/", views.activation, name="activate"),
    path("activate/password/", views.activation_password, name="activate_password"),
    path("activate/done/", views.activated, name="activated"),
]
