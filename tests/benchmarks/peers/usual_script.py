"""
The usual script: pandas, one task a row, a semaphore, one pool of connections, retries.

``python usual_script.py SHEET RESULTS URL AT_ONCE``. It keeps no record until its end.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import pandas as pd
from tenacity import retry, stop_after_attempt, wait_exponential


@retry(stop=stop_after_attempt(3), wait=wait_exponential(multiplier=0.5), reraise=True)
async def place_call(client: httpx.AsyncClient, row: dict[str, str]) -> str:
    response = await client.post(
        "/v1/calls/single-contact-call",
        json={
            "contact_id": row["contact_id"],
            "agent_id": "agent",
            "from_number_id": "number",
            "additional_data": [
                {"key": name, "value": value}
                for name, value in row.items()
                if name != "contact_id" and value
            ],
        },
    )
    response.raise_for_status()
    return str(response.json()["data"]["call_id"])


async def place_all(rows: list[dict[str, str]], url: str, at_once: int) -> list[tuple[str, str]]:
    semaphore = asyncio.Semaphore(at_once)
    limits = httpx.Limits(max_connections=at_once)
    headers = {"x-api-key": "key"}

    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits) as client:

        async def place(row: dict[str, str]) -> tuple[str, str]:
            async with semaphore:
                try:
                    return await place_call(client, row), ""
                except httpx.HTTPError as error:
                    return "", str(error)

        return await asyncio.gather(*(place(row) for row in rows))


def read_sheet(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    return pd.read_excel(path, dtype=str, keep_default_na=False, engine="openpyxl")


def write_sheet(sheet: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        sheet.to_csv(path, index=False)
    else:
        sheet.to_excel(path, index=False, engine="openpyxl")


def main() -> None:
    sheet_path, results_path, url, at_once = sys.argv[1:]
    sheet = read_sheet(Path(sheet_path))
    rows = [
        {str(name): str(value) for name, value in row.items()} for row in sheet.to_dict("records")
    ]
    results = asyncio.run(place_all(rows, url, int(at_once)))
    sheet["call_id"] = [call_id for call_id, _ in results]
    sheet["error"] = [error for _, error in results]
    write_sheet(sheet, Path(results_path))


if __name__ == "__main__":
    main()
