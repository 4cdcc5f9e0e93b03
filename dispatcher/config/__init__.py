"""YAML, environment and options become frozen settings."""

from dispatcher.config.api_key import KEY_FILE_VARIABLE, KEY_VARIABLE, ApiKey, read_api_key
from dispatcher.config.loading import (
    BASE_URL_VARIABLE,
    LEDGER_VARIABLE,
    conduct_rules,
    load_settings,
    overlay,
    plan_settings,
)
from dispatcher.config.place import DEFAULT_BASE_URL, default_ledger, find_config, home_folder
from dispatcher.config.settings import Settings

__all__ = [
    "BASE_URL_VARIABLE",
    "DEFAULT_BASE_URL",
    "KEY_FILE_VARIABLE",
    "KEY_VARIABLE",
    "LEDGER_VARIABLE",
    "ApiKey",
    "Settings",
    "conduct_rules",
    "default_ledger",
    "find_config",
    "home_folder",
    "load_settings",
    "overlay",
    "plan_settings",
    "read_api_key",
]
