"""Join orders and customers in SQL, and write the revenue per month and country as a dataset."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from mimir_client import Mimir  # noqa: E402


def main() -> None:
    mimir = Mimir("example-revenue", "Example: revenue")
    mimir.upload("customers", HERE / "customers.csv")
    mimir.upload("orders", HERE / "orders.csv")
    definition = json.loads((HERE / "pipeline.json").read_text())
    mimir.send("POST", "pipelines/", {"name": "revenue", "definition": definition})
    mimir.run("pipeline_execution", pipeline="revenue")
    print(mimir.text("datasets/revenue/versions/latest/content/", **{"as": "csv"}))


if __name__ == "__main__":
    main()
