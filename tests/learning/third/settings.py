"""Settings of the third Barrack; its database is a file that the process which starts it names."""

from __future__ import annotations

import os

SECRET_KEY = "not-a-secret-of-anybody"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
APPEND_SLASH = True
ROOT_URLCONF = "tests.learning.third.urls"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["THIRD_DATABASE"],
        # nothing in it outlives the test
        "OPTIONS": {"init_command": "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;"},
    }
}
INSTALLED_APPS = ["rest_framework", "drf_spectacular", "tests.learning.third.apps.ThirdConfig"]
MIDDLEWARE = ["tests.learning.third.control.remembering", "django.middleware.common.CommonMiddleware"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tests.learning.third.access.Token"],
    "DEFAULT_PERMISSION_CLASSES": ["tests.learning.third.access.MayDoIt"],
    "DEFAULT_THROTTLE_CLASSES": ["tests.learning.third.access.Throttle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "tests.learning.third.refusing.in_our_words",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Third Barrack",
    "VERSION": "2.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": None,
    "DISABLE_ERRORS_AND_WARNINGS": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "tests.learning.third.views.as_generated",
    ],
}
