"""The application's name and place, since a folder of tests is no package."""

from __future__ import annotations

from pathlib import Path

from django.apps import AppConfig


class ThirdConfig(AppConfig):
    name = "tests.learning.third"
    label = "third"
    path = str(Path(__file__).parent)
    default_auto_field = "django.db.models.BigAutoField"
