"""
The loop of OpenAI's cookbook (``api_request_parallel_processor.py``), in its manner.

One loop looks at its capacity, starts a request, sleeps a millisecond, and looks again; failed
requests come back by a queue; each answer is appended to a file of JSON lines.

``python cookbook_loop.py SHEET RESULTS URL AT_ONCE``. Like the original it bounds requests by the
minute, not those at once; the bound is set too high to be felt.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp  # type: ignore[import-not-found, unused-ignore]

MAX_REQUESTS_PER_MINUTE = 1e9
MAX_ATTEMPTS = 5
SECONDS_TO_PAUSE_AFTER_RATE_LIMIT = 15
SECONDS_TO_SLEEP_EACH_LOOP = 0.001


@dataclass
class StatusTracker:
    """Counts what became of the requests."""

    num_tasks_started: int = 0
    num_tasks_in_progress: int = 0
    num_tasks_succeeded: int = 0
    num_tasks_failed: int = 0
    time_of_last_rate_limit_error: float = 0.0


@dataclass
class APIRequest:
    """One request and how often it may still be tried."""

    task_id: int
    request_json: dict[str, object]
    attempts_left: int
    result: list[str] = field(default_factory=list)

    async def call_api(
        self,
        session: aiohttp.ClientSession,
        url: str,
        retry_queue: asyncio.Queue[APIRequest],
        save_filepath: Path,
        status: StatusTracker,
    ) -> None:
        """Call the API and save what it answers."""
        error = ""
        answer: object = None
        try:
            async with session.post(
                url=url, headers={"x-api-key": "key"}, json=self.request_json
            ) as response:
                answer = await response.json()
                if response.status >= 400:
                    error = str(answer)
                if response.status == 429:
                    status.time_of_last_rate_limit_error = time.time()
        except aiohttp.ClientError as failure:
            error = str(failure)
        if not error:
            append_to_jsonl([self.request_json, answer], save_filepath)
            status.num_tasks_in_progress -= 1
            status.num_tasks_succeeded += 1
            return
        self.result.append(error)
        if self.attempts_left:
            retry_queue.put_nowait(self)
        else:
            append_to_jsonl([self.request_json, list(self.result)], save_filepath)
            status.num_tasks_in_progress -= 1
            status.num_tasks_failed += 1


def append_to_jsonl(answer: object, path: Path) -> None:
    with path.open("a") as file:
        file.write(json.dumps(answer) + "\n")


def requests_of(path: Path) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            contact_id = row.pop("contact_id")
            data = [{"key": name, "value": value} for name, value in row.items() if value]
            yield {
                "contact_id": contact_id,
                "agent_id": "agent",
                "from_number_id": "number",
                "additional_data": data,
            }


async def process_requests(requests: Iterator[dict[str, object]], url: str, saved: Path) -> None:
    queue_of_requests_to_retry: asyncio.Queue[APIRequest] = asyncio.Queue()
    status = StatusTracker()
    next_request: APIRequest | None = None
    available_capacity = MAX_REQUESTS_PER_MINUTE
    last_update_time = time.time()
    is_file_finished = False
    running: set[asyncio.Task[None]] = set()

    async with aiohttp.ClientSession() as session:
        while True:
            if next_request is None:
                if not queue_of_requests_to_retry.empty():
                    next_request = queue_of_requests_to_retry.get_nowait()
                elif (request := next(requests, None)) is not None:
                    next_request = APIRequest(status.num_tasks_started, request, MAX_ATTEMPTS)
                    status.num_tasks_started += 1
                    status.num_tasks_in_progress += 1
                else:
                    is_file_finished = True

            now = time.time()
            available_capacity = min(
                available_capacity + MAX_REQUESTS_PER_MINUTE * (now - last_update_time) / 60,
                MAX_REQUESTS_PER_MINUTE,
            )
            last_update_time = now

            if next_request is not None and available_capacity >= 1:
                available_capacity -= 1
                next_request.attempts_left -= 1
                task = asyncio.create_task(
                    next_request.call_api(session, url, queue_of_requests_to_retry, saved, status)
                )
                running.add(task)
                task.add_done_callback(running.discard)
                next_request = None

            if is_file_finished and status.num_tasks_in_progress == 0:
                break
            await asyncio.sleep(SECONDS_TO_SLEEP_EACH_LOOP)

            since_error = time.time() - status.time_of_last_rate_limit_error
            if since_error < SECONDS_TO_PAUSE_AFTER_RATE_LIMIT:
                await asyncio.sleep(SECONDS_TO_PAUSE_AFTER_RATE_LIMIT - since_error)


def main() -> None:
    sheet, results, url, _at_once = sys.argv[1:]
    asyncio.run(
        process_requests(
            requests_of(Path(sheet)), f"{url}/v1/calls/single-contact-call", Path(results)
        )
    )


if __name__ == "__main__":
    main()
