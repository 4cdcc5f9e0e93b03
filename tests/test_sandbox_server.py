"""The sandbox as a server: starting, ending, and being served in the foreground."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from dispatcher.errors import UsageProblem
from dispatcher.sandbox import Fault, FaultKind, Faults, SandboxOptions, SandboxServer, serve
from dispatcher.sandbox.server import _bound_socket

ORDER = {"contact_id": "c", "agent_id": "a", "from_number_id": "n"}
CALLS = "/v1/calls/single-contact-call"
NEVER = Faults(contacts={"c": (Fault(kind=FaultKind.SILENT_AFTER),)})


def test_it_listens_on_loopback_alone_and_its_port_is_free_afterwards() -> None:
    with SandboxServer() as server:
        port = int(server.url.rpartition(":")[2])
        answer = httpx.get(f"{server.url}/v1/agents", headers={"x-api-key": server.key})

    assert server.url == f"http://127.0.0.1:{port}"
    assert answer.status_code == 200
    with SandboxServer(SandboxOptions(port=port)) as again:
        assert again.url == server.url
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/v1/agents")


def test_its_record_outlives_it() -> None:
    with SandboxServer() as server:
        httpx.post(f"{server.url}{CALLS}", json=ORDER, headers={"x-api-key": server.key})

    assert [call.contact_id for call in server.record] == ["c"]


@pytest.mark.parametrize("answer", ["never", "late"])
def test_it_ends_at_once_although_requests_are_waiting(answer: str) -> None:
    slow = Faults(contacts={"c": (Fault(latency_seconds=3600),)})
    failed = threading.Event()
    options = SandboxOptions(faults=NEVER if answer == "never" else slow)

    def wait_for_an_answer(url: str, key: str) -> None:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{url}{CALLS}", json=ORDER, headers={"x-api-key": key}, timeout=60)
        failed.set()

    with SandboxServer(options) as server:
        waiting = threading.Thread(target=wait_for_an_answer, args=(server.url, server.key))
        waiting.start()
        while not server.record:
            threading.Event().wait(0.01)

    waiting.join(30)
    assert failed.is_set()
    assert "sandbox" not in {thread.name for thread in threading.enumerate()}


def test_it_ends_at_once_although_connections_are_idle_or_half_sent() -> None:
    with SandboxServer() as server:
        port = int(server.url.rpartition(":")[2])
        idle = socket.create_connection(("127.0.0.1", port))
        half = socket.create_connection(("127.0.0.1", port))
        half.sendall(b"POST /v1/calls/single-contact-call HTTP/1.1\r\nContent-Length: 9\r\n")

    with idle, half:
        assert _has_ended(idle)
        assert _has_ended(half)
        assert "sandbox" not in {thread.name for thread in threading.enumerate()}


def _has_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_request_whose_body_broke_off_places_nothing(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with SandboxServer() as server:
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"POST /v1/calls/single-contact-call HTTP/1.1\r\nHost: x\r\n"
                b"x-api-key: sandbox-key\r\nContent-Length: 900\r\n\r\n{"
            )
        answer = httpx.get(f"{server.url}/v1/credits", headers={"x-api-key": server.key})

    assert answer.status_code == 200
    assert server.record == ()
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_it_logs_no_requests_and_leaves_signals_alone(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, logger="uvicorn")
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    with SandboxServer() as server:
        inside = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        httpx.get(f"{server.url}/v1/credits", headers={"x-api-key": server.key})

    assert inside == handlers
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []
    assert capfd.readouterr() == ("", "")


def test_a_taken_port_is_said() -> None:
    with SandboxServer() as server:
        port = int(server.url.rpartition(":")[2])
        second = SandboxServer(SandboxOptions(port=port))

        with pytest.raises(UsageProblem, match=f"port {port} cannot be used"):
            second.__enter__()


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none_is_said(port: int) -> None:
    with pytest.raises(UsageProblem, match=f"port {port} is no port"):
        SandboxServer(SandboxOptions(port=port)).__enter__()


def test_ending_one_that_never_began_is_harmless() -> None:
    SandboxServer().__exit__(None, None, None)


def test_answers_do_not_wait_for_delayed_acknowledgements() -> None:
    """asyncio sets TCP_NODELAY only where the socket names its protocol."""
    with _bound_socket(0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_the_key_does_not_show_in_the_options() -> None:
    assert "secret" not in repr(SandboxOptions(key="secret"))


def test_serving_in_the_foreground_announces_itself_and_ends_when_told() -> None:
    until = threading.Event()
    statuses: list[int] = []

    def announce(server: SandboxServer) -> None:
        headers = {"x-api-key": server.key}
        statuses.append(httpx.get(f"{server.url}/v1/credits", headers=headers).status_code)
        until.set()

    serve(SandboxOptions(key="mine"), announce=announce, until=until)

    assert statuses == [200]


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_serving_in_the_foreground_ends_with_ctrl_c() -> None:
    program = (
        "from dispatcher.sandbox import SandboxOptions, serve\n"
        "try:\n"
        "    serve(SandboxOptions(), announce=lambda server: print(server.url, flush=True))\n"
        "except KeyboardInterrupt:\n"
        "    print('ended')\n"
    )

    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as served:
        assert served.stdout is not None
        url = served.stdout.readline().decode().strip()
        status = httpx.get(f"{url}/v1/agents", headers={"x-api-key": "sandbox-key"}).status_code
        served.send_signal(signal.SIGINT)
        rest = served.stdout.read()

    assert status == 200
    assert rest == b"ended\n"
    assert served.returncode == 0


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from dispatcher.errors import UsageProblem\n"
        "try:\n"
        "    from dispatcher.sandbox import SandboxServer\n"
        "except UsageProblem as problem:\n"
        "    print(problem.message)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert said == ("the sandbox is not installed: pip install 'contactship-dispatcher[sandbox]'\n")


def test_another_missing_module_is_not_taken_for_the_extra() -> None:
    program = (
        "import sys; sys.modules['h11'] = None\n"
        "try:\n"
        "    import dispatcher.sandbox\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error.name)\n"
    )

    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout

    assert said == "h11\n"
