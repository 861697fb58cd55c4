"""pytest's way to tests/support.py, which holds the fixtures and says what they are.

Tests import helpers from `support`: the name `conftest` may be another folder's."""

from support import *  # noqa: F401,F403 - fixtures and hooks
