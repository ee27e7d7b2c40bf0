"""What the installation costs, beside a floor taken in the same run: `make bench ARGS="start api"`. Figures, no verdicts on speed."""
