"""Addresses of the day sheets, beneath /console/sheets/."""

from __future__ import annotations

from django.urls import path

from anxiao.reporting import views_known as looking_back
from anxiao.reporting import views_sheets as sheets

app_name = "reporting"

urlpatterns = [
    path("", sheets.home, name="home"),
    path("province/", sheets.province, name="province"),
    path("comparison/", sheets.comparison, name="comparison"),
    path("known/<int:node_id>/", looking_back.known, name="known"),
    path("<int:school_id>/", sheets.sheet, name="sheet"),
    path("<int:school_id>/return/", sheets.send_back, name="return"),
    path("<int:school_id>/history/", sheets.history, name="history"),
]
