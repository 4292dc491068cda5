"""The phone's addresses, beneath /h5/."""

from __future__ import annotations

from django.urls import path

from anxiao.portal import views_h5 as views
from anxiao.portal import views_h5_profile as profile
from anxiao.portal import views_receipt

urlpatterns = [
    path("", views.today, name="h5"),
    path("report/<int:round_id>/", views.report, name="h5_report"),
    path("correct/<int:round_id>/", views.correct, name="h5_correct"),
    path("receipt/<int:round_id>/", views.receipt, name="h5_receipt"),
    path("receipt/<int:round_id>/file/", views_receipt.receipt, name="h5_receipt_file"),
    path("history/", views.history, name="h5_history"),
    path("notices/", views.notices, name="h5_notices"),
    path("me/", views.profile, name="h5_me"),
    path("me/contact/", profile.contact, name="h5_contact"),
    path("me/looked/", profile.looked, name="h5_looked"),
    path("me/proposals/<int:proposal_id>/take-back/", profile.take_back, name="h5_take_back"),
    path("me/ask/<slug:field>/", profile.wish, name="h5_wish"),
    path("help/", views.help_page, name="h5_help"),
    path("worker.js", views.worker, name="h5_worker"),
]
