"""Makes settings of options, environment, file and defaults, in this order of strength."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from dispatcher.config.refusal import refusal
from dispatcher.config.settings import Layer, Settings
from dispatcher.config.yaml_file import ConfigFile, KeyPath, read_config_file
from dispatcher.planning import DelayMode, EmptyCells, HiddenRows, PlanSettings
from dispatcher.policy import ConductRules

BASE_URL_VARIABLE = "CONTACTSHIP_BASE_URL"
LEDGER_VARIABLE = "DISPATCHER_LEDGER"

_VARIABLES: Mapping[str, KeyPath] = {
    BASE_URL_VARIABLE: ("api", "base_url"),
    LEDGER_VARIABLE: ("ledger",),
}


def load_settings(path: Path | None, *, environment: Mapping[str, str]) -> Settings:
    """
    Return the settings of a configuration file and the environment, which wins.

    Args:
        path: The file, or None for the defaults.
        environment: CONTACTSHIP_BASE_URL and DISPATCHER_LEDGER are read; empty means not set.

    Raises:
        UsageProblem: names file, line and key, or the variable.
    """
    file = read_config_file(path) if path is not None else None
    given = {variable: environment.get(variable, "").strip() for variable in _VARIABLES}
    layer = _nested({_VARIABLES[name]: value for name, value in given.items() if value})
    named = {_VARIABLES[name]: name for name, value in given.items() if value}
    return _settings(layer, file.values if file else {}, file=file, named=named)


def overlay(
    settings: Settings,
    *,
    rate: str = "",
    workers: int | str = 0,
    agent_id: str = "",
    from_number_id: str = "",
    ledger: str = "",
    base_url: str = "",
    columns: tuple[tuple[str, str], ...] = (),
) -> Settings:
    """
    Return the settings with what was given on the command line in front; "" and 0 change nothing.

    Args:
        settings: What file and environment say.
        rate: As for ``pace.rate``.
        workers: As for ``pace.workers``, also as text.
        agent_id: As for ``defaults.agent_id``.
        from_number_id: As for ``defaults.from_number_id``.
        ledger: As for ``ledger``.
        base_url: As for ``api.base_url``; a rehearsal puts its own server here.
        columns: (field, header) pairs; each replaces the configured header of its field.

    Raises:
        UsageProblem: names the option.
    """
    options: dict[KeyPath, tuple[str, object]] = {
        ("pace", "rate"): ("--rate", rate),
        ("pace", "workers"): ("--workers", _number_or_text(workers)),
        ("defaults", "agent_id"): ("--agent-id", agent_id),
        ("defaults", "from_number_id"): ("--from-number-id", from_number_id),
        ("ledger",): ("--ledger", ledger),
        ("api", "base_url"): ("The base URL", base_url),
        ("columns",): ("--map", dict(columns)),
    }
    given = {path: said for path, said in options.items() if said[1]}
    layer = _nested({path: value for path, (_, value) in given.items()})
    below = settings.model_dump() | {"columns": dict(settings.columns)}
    return _settings(layer, below, file=None, named={p: name for p, (name, _) in given.items()})


def _number_or_text(said: int | str) -> int | str:
    return int(said) if isinstance(said, str) and said.isdecimal() else said


def plan_settings(
    settings: Settings, *, campaign: str, hidden: HiddenRows = HiddenRows.UNDECIDED
) -> PlanSettings:
    """
    Return what planning needs.

    Args:
        settings: With the options of the command line in front, see ``overlay``.
        campaign: Normalised campaign name.
        hidden: What becomes of hidden rows.
    """
    return PlanSettings(
        campaign=campaign,
        columns=settings.columns,
        agent_id=settings.defaults.agent_id,
        from_number_id=settings.defaults.from_number_id,
        timezone=settings.defaults.timezone,
        include=settings.additional_data.include,
        exclude=settings.additional_data.exclude,
        required=settings.additional_data.required,
        empty=EmptyCells(settings.additional_data.empty),
        formats=settings.additional_data.format,
        key=settings.key,
        delay=DelayMode(settings.api.delay),
        hidden=hidden,
        value_limit=settings.limits.value_characters,
        request_limit=settings.limits.request_bytes,
    )


def conduct_rules(settings: Settings) -> ConductRules:
    """Return when a run holds and when it stops."""
    return ConductRules(
        breaker_failures=settings.breaker.failures,
        breaker_of_last=settings.breaker.of_last,
        breaker_pause_seconds=settings.breaker.pause_seconds,
        give_up_seconds=settings.retry.give_up_minutes * 60,
        max_wait_seconds=settings.retry.max_wait_seconds,
        stop_uncertain=settings.stop.uncertain,
    )


def _settings(*layers: Layer, file: ConfigFile | None, named: Mapping[KeyPath, str]) -> Settings:
    try:
        return Settings.from_layers(*layers)
    except ValidationError as error:
        # Without the cause: pydantic quotes the input, which may hold what must not be shown.
        raise refusal(error, file=file, named=named) from None


def _nested(flat: Mapping[KeyPath, object]) -> dict[str, object]:
    """Turn ``{("pace", "rate"): x}`` into ``{"pace": {"rate": x}}``; paths are one or two long."""
    nested: dict[str, dict[str, object]] = {}
    for path, value in flat.items():
        if len(path) > 1:
            nested.setdefault(path[0], {})[path[1]] = value
    return {path[0]: value for path, value in flat.items() if len(path) == 1} | nested
