"""Train a model that predicts the rent of a flat, and predict the rent of new flats."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from mimir_client import Mimir  # noqa: E402


def main() -> None:
    mimir = Mimir("example-rents", "Example: rents")
    mimir.upload("flats", HERE / "flats.csv")
    mimir.upload("new-flats", HERE / "new-flats.csv")
    mimir.run(
        "ml_training", dataset="flats", target="rent", model="rent", algorithm="random_forest"
    )
    version = mimir.get("models/rent/versions/latest/")
    print(f"r2: {version['metrics']['r2']:.2f}, baseline: {version['baseline']['r2']:.2f}")
    mimir.run("ml_inference", model="rent", dataset="new-flats", output="rents", keys=["flat"])
    print(mimir.text("datasets/rents/versions/latest/content/", **{"as": "csv"}))


if __name__ == "__main__":
    main()
