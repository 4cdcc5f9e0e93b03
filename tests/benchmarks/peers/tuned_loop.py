"""
As fast as aiohttp goes: some workers share one session, nothing is retried, nothing recorded.

``python tuned_loop.py SHEET RESULTS URL AT_ONCE``. There are no results.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp  # type: ignore[import-not-found, unused-ignore]


def bodies_of(path: Path) -> Iterator[bytes]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            contact_id = row.pop("contact_id")
            data = [{"key": name, "value": value} for name, value in row.items() if value]
            body = {
                "contact_id": contact_id,
                "agent_id": "agent",
                "from_number_id": "number",
                "additional_data": data,
            }
            yield json.dumps(body).encode()


async def place_all(bodies: Iterator[bytes], url: str, at_once: int) -> None:
    headers = {"x-api-key": "key", "content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=at_once)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def work() -> None:
            for body in bodies:
                async with session.post(url, data=body) as response:
                    response.raise_for_status()
                    json.loads(await response.read())

        await asyncio.gather(*(work() for _ in range(at_once)))


def main() -> None:
    sheet, _results, url, at_once = sys.argv[1:]
    url += "/v1/calls/single-contact-call"
    asyncio.run(place_all(bodies_of(Path(sheet)), url, int(at_once)))


if __name__ == "__main__":
    main()
