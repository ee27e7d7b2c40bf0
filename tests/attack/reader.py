"""Signed-in reader in a separate process.

In the process of an attack it would wait for the threads of the attack. It ends when its standard
input is closed.
"""

import json
import os
import select
import sys
import time

import httpx

PAUSE_SECONDS = 0.02


def main() -> None:
    """Read one URL repeatedly.

    Print a line of JSON for each response: latency in seconds, and the fault or "".
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
