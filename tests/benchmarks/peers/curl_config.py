"""
Writes what ``curl --parallel --config`` reads: one request a row.

``python curl_config.py SHEET CONFIG URL``
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path


def main() -> None:
    sheet, config, url = sys.argv[1:]
    with (
        Path(sheet).open(encoding="utf-8", newline="") as rows,
        Path(config).open("w", encoding="utf-8") as file,
    ):
        for number, row in enumerate(csv.DictReader(rows)):
            contact_id = row.pop("contact_id")
            data = [{"key": name, "value": value} for name, value in row.items() if value]
            body = {
                "contact_id": contact_id,
                "agent_id": "agent",
                "from_number_id": "number",
                "additional_data": data,
            }
            if number:
                file.write("next\n")
            file.write(
                f'url = "{url}/v1/calls/single-contact-call"\noutput = "/dev/null"\nsilent\n'
            )
            file.write('header = "x-api-key: key"\nheader = "content-type: application/json"\n')
            file.write(f"data = {json.dumps(json.dumps(body, ensure_ascii=False))}\n")


if __name__ == "__main__":
    main()
