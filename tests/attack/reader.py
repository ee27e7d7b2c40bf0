"""The signed-in reader, in a process of its own.

In that of an attack it would wait for the attack's threads. Ends with its standard input.
"""

import json
import os
import select
import sys
import time

import httpx

PAUSE_SECONDS = 0.02


def main() -> None:
    """Read one address again and again.

    A line of JSON for each answer: latency in seconds, and what was wrong or "".
    """
    options = json.loads(os.environ["MIMIR_READER"])
    with httpx.Client(
        base_url=options["base"],
        headers=options["headers"],
        cookies=options["cookies"],
        trust_env=False,
        verify=False,
    ) as client:  # noqa: S501
        while not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
            wrong, began = "", time.monotonic()
            try:
                answer = client.get(options["path"], timeout=60)
                wrong = "" if answer.status_code == 200 else str(answer.status_code)
            except httpx.HTTPError as error:
                wrong = type(error).__name__
            print(json.dumps([time.monotonic() - began, wrong]), flush=True)


if __name__ == "__main__":
    main()
