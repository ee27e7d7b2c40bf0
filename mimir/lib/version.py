"""Version of this release, as in pyproject.toml, which images do not have. A test compares them."""

VERSION = "0.1.0"
