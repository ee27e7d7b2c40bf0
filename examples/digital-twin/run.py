"""Keep the state of three pumps in a digital twin: updates from readings, and one manual value."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from mimir_client import Mimir  # noqa: E402


def main() -> None:
    mimir = Mimir("example-pumps", "Example: pumps")
    definition = json.loads((HERE / "twin.json").read_text())
    if not [twin for twin in mimir.get("twins/")["results"] if twin["name"] == "pumps"]:
        mimir.send("POST", "twins/", {"name": "pumps", "definition": definition})
    update = {"twin": "pumps", "dataset": "readings", "type": "pump", "key": "pump"}

    mimir.upload("readings", HERE / "readings-1.csv")
    mimir.run("digital_twin_update", **update)

    # An operator knows that the sensor of P2 is broken. Updates do not overwrite this value.
    edit = {"values": {"pressure": 1.9}, "note": "Sensor broken, read from the gauge"}
    mimir.send("PATCH", "twins/pumps/entities/pump/P2/overlay/", edit)

    mimir.upload("readings", HERE / "readings-2.csv")
    mimir.run("digital_twin_update", **update)

    for key in ("P1", "P2", "P3"):
        entity = mimir.get(f"twins/pumps/entities/pump/{key}/")
        pressure = next(value for value in entity["values"] if value["property"] == "pressure")
        print(f"{key}: {pressure['value']} bar, reported: {pressure['reported']}")


if __name__ == "__main__":
    main()
