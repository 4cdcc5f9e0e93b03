"""The keys and options of the pace."""

from __future__ import annotations

import pytest

from dispatcher.config import Settings, overlay


def test_as_many_workers_as_the_pace_needs_can_be_asked_for() -> None:
    made = Settings.from_layers({"pace": {"workers": "auto", "strict": True}})

    assert (made.pace.workers, made.pace.strict) == (0, True)
    assert '"workers":"auto"' in made.model_dump_json()


@pytest.mark.parametrize(
    ("said", "workers"), [("auto", 0), ("12", 12), (12, 12), ("", 3), ("0", 3)]
)
def test_the_option_takes_a_number_or_auto(said: str | int, workers: int) -> None:
    configured = Settings.from_layers({"pace": {"workers": 3}})

    assert overlay(configured, workers=said).pace.workers == workers


def test_auto_in_the_file_outlasts_other_options() -> None:
    configured = Settings.from_layers({"pace": {"workers": "auto"}})

    assert overlay(configured, rate="5/second").pace.workers == 0
