"""URLs of monitoring below /api/v1/."""

from django.urls import path

from monitoring.api import system

urlpatterns = [path("system/", system.SystemView.as_view(), name="system")]
