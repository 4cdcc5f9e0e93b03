"""The key is seen nowhere, and text from outside steers no terminal."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Ended, World

KEY = "sk_canary_7f3a91c2d4"
ECHO = KEY.encode()


def _http(status: str, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(head).encode() + body


def _json(status: str, body: bytes) -> bytes:
    return _http(status, body, "Content-Type: application/json")


ANSWERS = {
    "placed": _json("200 OK", b'{"call_id": "id-%s", "created_at": "%s"}' % (ECHO, ECHO)),
    "no id": _json("201 Created", b'{"data": {"note": "%s"}}' % ECHO),
    "400": _json("400 Bad Request", b'{"message": ["bad key %s", "x"]}' % ECHO),
    "401": _json("401 Unauthorized", b'{"message": "no such key: %s"}' % ECHO),
    "403 html": _http("403 Forbidden", b"<h1>%s</h1>" % ECHO, "Content-Type: text/html"),
    "404": _json("404 Not Found", b'{"error": "%s"}' % ECHO),
    "429": _json("429 Too Many Requests", b"{}").replace(
        b"\r\n\r\n", b"\r\nRetry-After: 99999\r\nX-Echo: " + ECHO + b"\r\n\r\n", 1
    ),
    "500": _json("500 Internal Server Error", b'{"message": "%s"}' % ECHO),
    "302": _http("302 Found", b"", f"Location: http://127.0.0.1:9/{KEY}"),
    "reason phrase": _json(f"418 {KEY}", b'{"message": "%s"}' % ECHO),
    "cut": _json("200 OK", b'{"call_id": "id-%s"' % ECHO).replace(b"Length: ", b"Length: 9"),
    "bad header": b"HTTP/1.1 200 OK\r\nX Bad Header " + ECHO + b"\r\n\r\n",
    "no http": ECHO + b"\r\n\r\n",
    "closed": b"",
}


@contextmanager
def _echoing(answer: bytes) -> Iterator[str]:
    """A raw server that reads a request and answers with these bytes, then closes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                peer, _ = listener.accept()
                with peer:
                    if ended.is_set():
                        return
                    peer.recv(65_536)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            ended.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()


def _nowhere(world: World, *ended: Ended) -> None:
    for one in ended:
        assert KEY not in one.out
        assert KEY not in one.err
    for name, content in world.files().items():
        assert ECHO not in content, name
        assert KEY not in name


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_key_that_is_echoed_shows_nowhere(
    world: World, answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.configure("retry:\n  give_up_minutes: 0\nbreaker:\n  failures: 0\n")
    world.set("CONTACTSHIP_API_KEY", KEY)
    with _echoing(answer) as url:
        world.set("CONTACTSHIP_BASE_URL", url)
        ended = (
            world.run(world.people(1)),
            world.command("reconcile", "campaign"),
            world.command(
                "resolve", "campaign", "--row", "2", "--placed", "x", "--reason", "y", "--yes"
            ),
            world.command("status", "--json"),
            world.command("agents"),
            world.command("numbers", "--json"),
            world.command("credits"),
        )

    assert all(one.status != 1 for one in ended)
    _nowhere(world, *ended)
    assert KEY not in caplog.text


def test_the_echo_would_be_seen(world: World) -> None:
    """The search itself finds a canary that is there."""
    (world.folder / "leak.txt").write_text(KEY, encoding="utf-8")

    with pytest.raises(AssertionError):
        _nowhere(world)


def test_an_unexpected_error_of_a_real_process_shows_no_key(world: World) -> None:
    world.run(world.people(1))
    script = (
        "import sys, dispatcher.cli.run as run\n"
        "def broken(*a, **k): raise RuntimeError('bug')\n"
        "run.live = broken\n"
        "from dispatcher.cli.app import run_app\n"
        "sys.exit(run_app(sys.argv[1:]))\n"
    )
    world.set("CONTACTSHIP_API_KEY", KEY)

    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script, "run", "campaign.csv", "--yes"],
        cwd=world.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "RuntimeError: bug" in done.stderr
    assert done.returncode == 1
    assert KEY not in done.stderr + done.stdout
    _nowhere(world)


@pytest.mark.parametrize(
    "key",
    [f"{KEY}\nsecond", f"{KEY} x", f"{KEY}ñ", f"{KEY}\x1b"],
    ids=["2 lines", "blank", "ñ", "esc"],
)
def test_a_key_that_cannot_be_used_is_refused_without_being_shown(world: World, key: str) -> None:
    world.set("CONTACTSHIP_API_KEY", key)

    ended = world.run(world.people(1))

    assert ended.status == 2
    assert "CONTACTSHIP_API_KEY" in ended.complaint[0]
    _nowhere(world, ended)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://192.0.2.7", "must begin with https://"),
        ("http://api.contactship.ai", "must begin with https://"),
        ("https://me:s3cret@api.contactship.ai", "must not hold a user name or password"),
        ("http://me:s3cret@127.0.0.1:1", "must not hold a user name or password"),
    ],
    ids=["an address", "a name", "user info", "user info on loopback"],
)
@pytest.mark.parametrize("command", ["run", "agents", "reconcile", "status"])
def test_a_base_url_that_would_give_the_key_away_is_refused(
    world: World, command: str, url: str, said: str
) -> None:
    world.set("CONTACTSHIP_BASE_URL", url)
    arguments = {"run": (world.people(1), "--yes"), "reconcile": ("campaign",)}

    ended = world.command(command, *arguments.get(command, ()))

    assert ended.status == 2
    assert said in " ".join(ended.complaint)
    assert "s3cret" not in ended.err + ended.out


# Text that steers a terminal

NASTY = "\x1b[2J\x1b]0;owned\x07 \u202egnp.exe\u2066 \x9b31m \x85 \x7f \u2028 a\nb"
STEERING = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def _harmless(*ended: Ended) -> None:
    for one in ended:
        for text in (one.out, one.err):
            assert not STEERING.search(text), text
            assert "\nb" not in text


@pytest.mark.parametrize("json", [(), ("--json",)], ids=["words", "json"])
def test_cells_headers_and_names_steer_no_terminal(world: World, json: tuple[str, ...]) -> None:
    sheet = world.csv(
        [(f"c-1{NASTY}", NASTY, "x"), ("c-2", NASTY, "y"), ("c-2", NASTY, "z"), ("", NASTY, "w")],
        header=("contact_id", "nombre \u202e", "metadata.x"),
        name="nasty \u202e\x9b.csv",
    )

    nasty_header = world.csv([("c-1", "x")], header=("contact_id", NASTY), name="other.csv")

    ended = (
        world.command("check", sheet, *json),
        world.command("check", nasty_header, *json),
        world.command("run", sheet, "--dry-run", "--accept-ids", *json),
        world.command("run", sheet, "--yes", "--accept-ids", "--campaign", f"x{NASTY}", *json),
        world.command("status", *json),
        world.command("results", f"x{NASTY}", *json),
        world.command("status", f"y{NASTY}", *json),
        world.command("check", world.folder / "no \u202e\x9b such.csv", *json),
    )

    assert [one.status for one in ended[:4]] == [4, 3, 0, 4], ended
    _harmless(*ended)


ESCAPED = NASTY.encode("unicode_escape").decode().replace("\\x", "\\u00").replace("\n", "\\n")


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "200 OK", "500 Oh"])
@pytest.mark.parametrize("json", [(), ("--json",)], ids=["words", "json"])
def test_what_the_api_says_steers_no_terminal(
    world: World, status: str, json: tuple[str, ...]
) -> None:
    world.configure("retry:\n  give_up_minutes: 0\nbreaker:\n  failures: 0\n")
    fields = ("message", "call_id", "created_at", "contact_id", "id", "name", "phone_number")
    one = "{" + ", ".join(f'"{field}": "{ESCAPED}"' for field in fields) + "}"
    body = f'{{"message": "{ESCAPED}", "call_id": "{ESCAPED}", "data": [{one}], "count": 1}}'
    with _echoing(_json(status, body.encode())) as url:
        world.set("CONTACTSHIP_BASE_URL", url)
        ended = (
            world.command("run", world.people(2), "--yes", "--rate", "unlimited", *json),
            world.command("reconcile", "campaign", *json),
            world.command(
                "resolve", "campaign", "--row", "2", "--placed", "x", "--reason", "y", "--yes"
            ),
            world.command("status", *json),
            world.command("agents", *json),
            world.command("numbers", *json),
            world.command("credits", *json),
        )

    assert all(one.status != 1 for one in ended)
    _harmless(*ended)
