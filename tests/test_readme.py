"""The README says what is true: its commands, options and codes are those of the program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.model import CallStatus, FlawKind
from dispatcher.planning.headers import Field

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCES = [path.read_text(encoding="utf-8") for path in (ROOT / "dispatcher").rglob("*.py")]
BUILT_CODES = {  # of these no source holds the whole word
    *(f"{field}_missing" for field in (Field.AGENT_ID, Field.FROM_NUMBER_ID)),
    *(f"no_{field}" for field in (Field.AGENT_ID, Field.FROM_NUMBER_ID)),
    *(f"already_{status}" for status in (CallStatus.PLACED, CallStatus.UNCERTAIN)),
}


def helped(*command: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "dispatcher", *command, "--help"],
        capture_output=True,
        check=True,
        text=True,
        encoding="utf-8",
        env={"COLUMNS": "200", "PATH": ""},
    ).stdout


def test_it_opens_with_the_two_commands_that_set_everything_up() -> None:
    commands = re.findall(r"^python3 -m venv .*$", README, flags=re.MULTILINE)

    assert commands == [
        (
            "python3 -m venv .venv && .venv/bin/pip install -q '.[sandbox]' && "
            ".venv/bin/dispatcher run sample_data/campaign.xlsx --sandbox --yes"
        ),
        "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest",
    ]


def test_every_command_in_its_table_exists() -> None:
    named = set(re.findall(r"^\| `([a-z]+)(?: [^`]*)?`[ ,|]", README, flags=re.MULTILINE))
    listed = set(re.findall(r"^  ([a-z]+)  ", helped(), flags=re.MULTILINE))

    assert listed <= named | {"agents", "numbers", "credits"}


def test_every_option_it_names_exists() -> None:
    commands = re.findall(r"^  ([a-z]+)  ", helped(), flags=re.MULTILINE)
    real = set().union(*(re.findall(r"--[a-z-]+", helped(command)) for command in commands))

    named = set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", README))
    assert named - {"--slow"} <= real  # that one is the tests' own


@pytest.mark.parametrize("path", sorted((ROOT / "dispatcher").rglob("*.py")), ids=str)
def test_every_code_of_a_remark_is_listed(path: Path) -> None:
    codes = re.findall(r'\bcode="([a-z_]+)"', path.read_text(encoding="utf-8"))

    assert all(f"`{code}`" in README for code in codes), codes


def listed_codes() -> set[str]:
    words = README.partition("### Words for what is wrong")[2].partition("\n## ")[0]
    cells = re.findall(r"^\|([^|]*`[^|]*)\|", words, flags=re.MULTILINE)
    return set(re.findall(r"`([a-z0-9_]+)`", " ".join(cells)))


def test_every_code_of_a_problem_is_listed() -> None:
    made = re.compile(r'(?:about\([a-z_.]+, |_problem\(|return )"([a-z]+(?:_[a-z]+)+)"')
    planning = (ROOT / "dispatcher" / "planning").glob("*.py")
    codes = {code for path in planning for code in made.findall(path.read_text(encoding="utf-8"))}

    assert {"required_empty", "bad_timezone", "id_white_space"} <= codes  # it finds them at all
    assert codes | set(FlawKind) | BUILT_CODES <= listed_codes()


def test_no_code_is_listed_that_never_comes_out() -> None:
    dead = {
        code
        for code in listed_codes() - BUILT_CODES
        if not any(f'"{code}"' in source for source in SOURCES)
    }

    assert dead == set()


@pytest.mark.parametrize("command", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(command: str) -> None:
    heavy = {"pandas", "openpyxl", "sqlalchemy", "httpx", "pydantic", "starlette", "tqdm"}
    script = (
        "import sys\nfrom dispatcher.cli.app import run_app\n"
        f"assert run_app([{command!r}]) == 0\n"
        f"loaded = {heavy!r} & set(sys.modules)\nsys.exit(str(loaded) if loaded else 0)"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
