"""Tests of the state of the installation and its metrics."""
