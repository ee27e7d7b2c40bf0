"""The version of this release. pyproject.toml says the same (a test compares them): an image holds no pyproject.toml."""

VERSION = "0.1.0"
