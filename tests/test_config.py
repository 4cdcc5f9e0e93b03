"""Options, environment, file and defaults become settings, or one clear line."""

from __future__ import annotations

import copy
import pickle
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatcher.config import (
    DEFAULT_BASE_URL,
    ApiKey,
    Settings,
    conduct_rules,
    default_ledger,
    find_config,
    load_settings,
    overlay,
    plan_settings,
    read_api_key,
)
from dispatcher.errors import UsageProblem
from dispatcher.planning import DelayMode, EmptyCells, HiddenRows, PlanSettings
from dispatcher.policy import ConductRules

EXAMPLE = Path(__file__).parents[1] / "config.example.yaml"
CANARY = "canary-4f1b9a"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def loaded(path: Path, text: str, **environment: str) -> Settings:
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environment=environment)


def refused(path: Path, text: str) -> str:
    with pytest.raises(UsageProblem) as caught:
        loaded(path, text)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    return caught.value.message.replace(str(path), "FILE")


# --- the example


def test_the_example_is_the_defaults() -> None:
    assert load_settings(EXAMPLE, environment={}) == Settings()


def test_the_example_shows_every_key_with_its_default() -> None:
    shown = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    defaults = yaml.safe_load(Settings().model_dump_json())
    defaults["additional_data"] |= {"include": "all", "format": {}}
    defaults["columns"] = {}

    assert shown == defaults


def test_every_key_of_the_example_is_explained() -> None:
    explained = False
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if line.strip().startswith("#"):
            explained = True
        elif line.strip():
            assert explained or line.startswith(" ") or line.endswith(":"), line
            explained = False


# --- what a file may hold


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("# only a remark\n", id="remark"),
        pytest.param("pace:\n  # rate: 5/second\nledger:\nkey:\n", id="keys without values"),
        pytest.param("pace:\n  rate:\n  workers:\n", id="nested keys without values"),
    ],
)
def test_what_is_not_said_is_the_default(config: Path, text: str) -> None:
    assert loaded(config, text) == Settings()


def test_every_kind_of_value_is_taken(config: Path) -> None:
    made = loaded(
        config,
        """
api: {base_url: "https://gate.example/contactship/", answer_timeout_seconds: 2.5, delay: send}
defaults: {agent_id: " a-1 ", timezone: America/Argentina/Buenos_Aires}
columns: {contact_id: Cliente, metadata.branch: Sucursal, delay: ""}
additional_data: {include: [Nombre, 2024-01-31], empty: send, format: {Monto: "$ {:,.2f}"}}
key: [Factura]
repeat_after_hours: 0
pace: {rate: unlimited, workers: 1000}
retry: {give_up_minutes: 0.05}
""",
    )

    assert made.api.base_url == "https://gate.example/contactship"
    assert made.api.answer_timeout_seconds == 2.5
    assert made.defaults.agent_id == "a-1"
    assert made.columns == (
        ("contact_id", "Cliente"),
        ("metadata.branch", "Sucursal"),
        ("delay", ""),
    )
    assert made.additional_data.include == ("Nombre", "2024-01-31")
    assert made.additional_data.format == (("Monto", "$ {:,.2f}"),)
    assert made.key == ("Factura",)
    assert made.repeat_after_hours == 0
    assert made.pace.workers == 1000


def test_a_byte_order_mark_is_no_fault(config: Path) -> None:
    config.write_bytes("\ufeffledger: ñandú.db\r\n".encode())

    assert load_settings(config, environment={}).ledger == "ñandú.db"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().ledger = "other"


def test_the_environment_of_the_process_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER", "/elsewhere")
    monkeypatch.setenv("KEY", '["x"]')

    assert load_settings(None, environment={}) == Settings()


# --- what it may not


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "pace:\n  rat: 5/second\n",
            "line 2: `pace.rat` is no known key; did you mean `rate`?",
            id="unknown key",
        ),
        pytest.param("\npaces: {}\n", "line 2: `paces` is no known key", id="unknown section"),
        pytest.param("a.b: {c: 1}\n", "line 1: `a.b` is no known key", id="unlike any key"),
        pytest.param(
            "pace:\n  rate: 5/second\n\n  rate: 6/second\n",
            "line 4: `pace.rate` stands in line 2 already",
            id="duplicate key",
        ),
        pytest.param(
            "ledger: 21:00\n",
            "line 1: `ledger` must be text, and YAML takes this for a number; put it in quotes",
            id="sexagesimal",
        ),
        pytest.param(
            "defaults:\n  agent_id: 0012\n",
            "line 2: `defaults.agent_id` must be text, and YAML takes this for a number",
            id="leading zeros",
        ),
        pytest.param(
            "columns:\n  contact_id: NO\n",
            "line 2: `columns.contact_id` must be text, and YAML takes this for yes or no; "
            "put it in quotes",
            id="no",
        ),
        pytest.param(
            "columns:\n  NO: X\n", "line 2: YAML does not take `NO` for text", id="key that is no"
        ),
        pytest.param("? [a]\n: 1\n", "line 1: a key must be plain text", id="list as key"),
        pytest.param("ledger: []\n", "line 1: `ledger` must be text", id="list for text"),
        pytest.param(
            "columns:\n  contact_id: A\n  phone: X\n",
            "line 3: `columns.phone` names no field `phone`",
            id="unknown field",
        ),
        pytest.param(
            "columns:\n  metadata.: X\n",
            "line 2: `columns.metadata.` names no field",
            id="metadata",
        ),
        pytest.param("columns: [a]\n", "line 1: `columns` must hold", id="list for mapping"),
        pytest.param("pace: 5\n", "line 1: `pace` must hold keys of its own", id="no section"),
        pytest.param("key: Factura\n", "line 1: `key` must be a list", id="text for list"),
        pytest.param("- a\n", "line 1: a configuration is", id="list"),
        pytest.param("hello\n", "line 1: a configuration is", id="text"),
        pytest.param("pace:\n\tworkers: 5\n", "line 2: a tab", id="tab"),
        pytest.param("pace: [\n", "line 2: not YAML", id="unclosed"),
        pytest.param("a: 1\n---\nb: 2\n", "line 2: not YAML", id="two documents"),
        pytest.param("x: &a 1\ny: *a\n", "line 1: not YAML: anchors", id="alias"),
        pytest.param("x: !!python/object:os.system 1\n", "line 1: not YAML", id="object"),
        pytest.param("[" * 3000, "nested too deeply", id="deep"),
        pytest.param("ledger: \x01\n", "holds control characters", id="control character"),
        pytest.param("ledger: " + "9" * 5000, "is not a configuration", id="endless number"),
        pytest.param("#" * 1_000_001, "too large", id="too large"),
        pytest.param("pace: {workers: 0}\n", "must be 1 or more", id="no workers"),
        pytest.param("pace: {workers: 1001}\n", "must be 1000 or less", id="many workers"),
        pytest.param("pace: {workers: 8.5}\n", "must be a whole number", id="half a worker"),
        pytest.param("pace: {workers: many}\n", "must be a whole number", id="many"),
        pytest.param("pace: {workers: no}\n", "must be a whole number", id="no workers at all"),
        pytest.param("pace: {workers: yes}\n", "must be a whole number", id="yes workers"),
        pytest.param("pace: {workers: '8'}\n", "must be a whole number", id="text for number"),
        pytest.param("pace: {rate: fast}\n", "is no rate", id="rate"),
        pytest.param("pace: {rate: 0/second}\n", "is no rate", id="rate of zero"),
        pytest.param("repeat_after_hours: -1\n", "must be 0 or more", id="negative hours"),
        pytest.param("repeat_after_hours: .inf\n", "must be a finite number", id="endless hours"),
        pytest.param("repeat_after_hours: soon\n", "must be a number", id="hours in words"),
        pytest.param("stop: {uncertain: 1000001}\n", "must be 1000000 or less", id="uncertain"),
        pytest.param("api: {delay: maybe}\n", "must be 'schedule' or 'send'", id="choice"),
        pytest.param("api: {answer_timeout_seconds: 0}\n", "must be more than 0", id="no time"),
        pytest.param("defaults: {timezone: Mars/One}\n", "is not a time zone", id="zone"),
        pytest.param("defaults: {timezone: America}\n", "is not a time zone", id="zone folder"),
        pytest.param("breaker: {failures: 30}\n", "never trips", id="breaker"),
        pytest.param("additional_data: {include: some}\n", "must be `all` or a list", id="include"),
    ],
)
def test_a_fault_is_named_with_file_line_and_key(config: Path, text: str, said: str) -> None:
    message = refused(config, text)

    assert "FILE" in message
    assert said in message


@pytest.mark.parametrize(
    "pattern",
    ["{:d}", "{0.real}", "{", "{}{}", "none", "{name}", "{:{}}", "{1}", "{:,.2f} {:,.2f}", "{!z}"],
)
def test_a_format_must_be_one_number_in_braces(config: Path, pattern: str) -> None:
    message = refused(config, f"additional_data:\n  format:\n    Monto: '{pattern}'\n")

    assert "line 3: `additional_data.format.Monto` must be one number format" in message


def test_the_first_fault_of_several_is_named_and_the_rest_counted(config: Path) -> None:
    message = refused(config, "ledger: 1\npace: {workers: 0}\nstop: {uncertain: -1}\n")

    assert "line 1: `ledger`" in message
    assert "(2 more to mend)" in message


def test_a_file_that_is_not_utf_8_is_named_with_its_line(config: Path) -> None:
    config.write_bytes(b"key: []\nledger: \xf1\n")

    with pytest.raises(UsageProblem, match="line 2: not UTF-8"):
        load_settings(config, environment={})


def test_a_missing_file_is_one_line(config: Path) -> None:
    with pytest.raises(UsageProblem, match="does not exist"):
        load_settings(config, environment={})


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="cannot be read"):
        load_settings(tmp_path, environment={})


@pytest.mark.parametrize("text", ["api: {api_key: %s}", "api_key: %s", "api: {key: %s}"])
def test_a_key_in_the_configuration_is_refused_unseen(config: Path, text: str) -> None:
    config.write_text(text % CANARY, encoding="utf-8")

    with pytest.raises(UsageProblem) as caught:
        load_settings(config, environment={})

    assert "CONTACTSHIP_API_KEY" in caught.value.hint
    assert CANARY not in repr(caught.value) + caught.value.message + caught.value.hint
    assert caught.value.__suppress_context__


@given(text=st.text(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_settings_or_one_line(config: Path, text: str) -> None:
    """Whatever a file holds, nothing but a usage problem comes out."""
    config.write_text(text, encoding="utf-8", errors="replace")

    with suppress(UsageProblem):
        load_settings(config, environment={})


# --- the order: option, environment, file, default


def test_the_environment_wins_over_the_file(config: Path) -> None:
    made = loaded(
        config,
        "ledger: /file\napi: {base_url: 'https://file.example', delay: send}\n",
        DISPATCHER_LEDGER="/environment",
        CONTACTSHIP_BASE_URL="http://127.0.0.1:8080/",
    )

    assert (made.ledger, made.api.base_url) == ("/environment", "http://127.0.0.1:8080")
    assert made.api.delay == "send"


def test_an_empty_variable_is_not_set(config: Path) -> None:
    made = loaded(config, "ledger: /file\n", DISPATCHER_LEDGER=" ", CONTACTSHIP_BASE_URL="")

    assert (made.ledger, made.api.base_url) == ("/file", DEFAULT_BASE_URL)


def test_options_win_over_everything(config: Path) -> None:
    below = loaded(
        config,
        "columns: {contact_id: A, delay: B}\npace: {rate: 1/second, workers: 3}\n"
        "additional_data: {include: [X], format: {X: '{:,.1f}'}}\nkey: [X]\n",
        DISPATCHER_LEDGER="/environment",
    )

    made = overlay(
        below,
        rate="5/second",
        workers=4,
        agent_id="a",
        from_number_id="n",
        ledger="/option",
        base_url="http://localhost:1",
        columns=(("contact_id", "C"), ("timezone", "D")),
    )

    assert (made.pace.rate, made.pace.workers) == ("5/second", 4)
    assert (made.defaults.agent_id, made.defaults.from_number_id) == ("a", "n")
    assert (made.ledger, made.api.base_url) == ("/option", "http://localhost:1")
    assert made.columns == (("contact_id", "C"), ("delay", "B"), ("timezone", "D"))
    assert made.additional_data == below.additional_data
    assert made.key == below.key


def test_options_that_are_not_given_change_nothing(config: Path) -> None:
    below = loaded(config, "pace: {rate: 1/second}\nadditional_data: {include: [X]}\n")

    assert overlay(below) == below


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"rate": "x"}, "--rate is no rate", id="rate"),
        pytest.param({"workers": 5000}, "--workers must be 1000 or less", id="workers"),
        pytest.param({"columns": (("foo", "x"),)}, "--map names no field `foo`", id="map"),
    ],
)
def test_a_bad_option_is_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageProblem, match=said):
        overlay(Settings(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        pytest.param("http://api.contactship.ai", "must begin with https://", id="http"),
        pytest.param(
            "http://127.0.0.1.evil.example", "must begin with https://", id="not loopback"
        ),
        pytest.param(f"https://u:{CANARY}@x.example", "must not hold a user name", id="user info"),
        pytest.param("https://x.example/?a=1", "must not hold a query", id="query"),
        pytest.param("https://x.example/#a", "must not hold a query", id="fragment"),
        pytest.param("https://x.example?", "must not hold a query", id="empty query"),
        pytest.param("ftp://x.example", "must be a URL that begins with https://", id="scheme"),
        pytest.param("api.contactship.ai", "must be a URL", id="no scheme"),
        pytest.param("https://", "must be a URL", id="no host"),
        pytest.param("https://x.example:99999", "is not a URL", id="port"),
        pytest.param("https://[::1", "is not a URL", id="bracket"),
        pytest.param("https://x.example/a b", "is not a URL", id="blank"),
    ],
)
def test_a_base_url_that_could_leak_is_refused_unseen(url: str, said: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        load_settings(None, environment={"CONTACTSHIP_BASE_URL": url})

    assert caught.value.message.startswith(f"CONTACTSHIP_BASE_URL {said}")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        pytest.param(" https://API.example/v0// ", "https://api.example/v0", id="prefix"),
        pytest.param("http://localhost:8080", "http://localhost:8080", id="localhost"),
        pytest.param("http://[::1]:8080/", "http://[::1]:8080", id="IPv6 loopback"),
        pytest.param("https://x.example:444", "https://x.example:444", id="port"),
    ],
)
def test_a_base_url_is_taken_without_its_last_slash(url: str, taken: str) -> None:
    made = load_settings(None, environment={"CONTACTSHIP_BASE_URL": url})

    assert made.api.base_url == taken


# --- where things are


def test_the_working_folder_comes_before_the_folder_of_the_sheet(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()

    assert find_config(here, None) is None
    assert find_config(here, there / "campaign.xlsx") is None

    (there / "config.yaml").touch()
    assert find_config(here, there / "campaign.xlsx") == there / "config.yaml"

    (here / "config.yaml").touch()
    assert find_config(here, there / "campaign.xlsx") == here / "config.yaml"


def test_the_ledger_of_a_user_does_not_depend_on_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = default_ledger()

    monkeypatch.chdir(tmp_path)

    assert default_ledger() == before
    assert Path(before).is_absolute()
    assert Path(before).name == "ledger.db"


# --- what other modules need


def test_planning_gets_what_it_needs(config: Path) -> None:
    made = loaded(
        config,
        "api: {delay: send}\ndefaults: {agent_id: a, from_number_id: n, timezone: UTC}\n"
        "columns: {contact_id: C}\nkey: [K]\n"
        "additional_data: {include: [X], exclude: [Y], required: [X], empty: send,"
        " format: {X: '{:.1f}'}}\nlimits: {value_characters: 7, request_bytes: 5000}\n",
    )

    plan = plan_settings(made, campaign="debt", hidden=HiddenRows.SKIP)

    assert asdict(plan) == {
        "campaign": "debt",
        "columns": (("contact_id", "C"),),
        "agent_id": "a",
        "from_number_id": "n",
        "timezone": "UTC",
        "include": ("X",),
        "exclude": ("Y",),
        "required": ("X",),
        "empty": EmptyCells.SEND,
        "formats": (("X", "{:.1f}"),),
        "key": ("K",),
        "delay": DelayMode.SEND,
        "hidden": HiddenRows.SKIP,
        "value_limit": 7,
        "request_limit": 5000,
    }


def test_the_defaults_of_planning_are_those_of_the_configuration() -> None:
    assert plan_settings(Settings(), campaign="debt") == PlanSettings(campaign="debt")


def test_the_defaults_of_conduct_are_those_of_the_configuration() -> None:
    assert conduct_rules(Settings()) == ConductRules()


def test_minutes_become_seconds(config: Path) -> None:
    rules = conduct_rules(loaded(config, "retry: {give_up_minutes: 1.5}\n"))

    assert rules.give_up_seconds == 90.0


def test_settings_are_kept_with_the_run_as_json() -> None:
    assert '"rate":"100/minute"' in Settings().model_dump_json()


# --- the key


def key_of(**environment: str) -> str:
    return read_api_key(environment).reveal()


def test_the_key_comes_from_the_environment() -> None:
    assert key_of(CONTACTSHIP_API_KEY=f" \ufeff{CANARY}\r\n") == CANARY


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CANARY.encode(), id="plain"),
        pytest.param(f"\ufeff{CANARY}\r\n".encode(), id="byte order mark and line end"),
    ],
)
def test_the_key_comes_from_a_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    assert key_of(CONTACTSHIP_API_KEY_FILE=str(file), CONTACTSHIP_API_KEY="") == CANARY


def test_the_variable_wins_over_the_file() -> None:
    assert key_of(CONTACTSHIP_API_KEY=CANARY, CONTACTSHIP_API_KEY_FILE="/nowhere") == CANARY


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param({}, "CONTACTSHIP_API_KEY is not set", id="missing"),
        pytest.param({"CONTACTSHIP_API_KEY": " "}, "CONTACTSHIP_API_KEY is empty", id="empty"),
        pytest.param({"CONTACTSHIP_API_KEY": f"{CANARY}\nx"}, "more than one line", id="lines"),
        pytest.param({"CONTACTSHIP_API_KEY": f"{CANARY}ñ"}, "no API key has", id="letters"),
        pytest.param({"CONTACTSHIP_API_KEY": f"{CANARY} x"}, "no API key has", id="blank"),
        pytest.param({"CONTACTSHIP_API_KEY": f"{CANARY}\x00"}, "no API key has", id="NUL"),
        pytest.param({"CONTACTSHIP_API_KEY": CANARY * 400}, "too long", id="long"),
        pytest.param({"CONTACTSHIP_API_KEY_FILE": "/no/where"}, "cannot be read", id="no file"),
    ],
)
def test_a_key_that_is_none_is_refused_unseen(environment: dict[str, str], said: str) -> None:
    with pytest.raises(UsageProblem, match=said) as caught:
        read_api_key(environment)

    assert CANARY not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b" \n", "is empty", id="empty"),
        pytest.param(CANARY.encode() + b"\xff", "not plain text", id="bytes"),
    ],
)
def test_a_key_file_that_holds_none_is_refused_unseen(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(UsageProblem, match=said) as caught:
        read_api_key({"CONTACTSHIP_API_KEY_FILE": str(file)})

    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_that_prints_or_copies_a_key_shows_it() -> None:
    key = ApiKey(CANARY)

    assert CANARY not in f"{key!r} {key} {[key]}"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        copy.copy(key)
