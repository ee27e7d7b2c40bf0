"""The shipped overlays as test parameters, their processes, and the module that renders them."""

import importlib.util

import pytest

from tests.support.manifests import FOLDER, OVERLAYS

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
LOOPS = {"orchestrator/dispatcher", "orchestrator/reconciler"}
ONCE = {
    "orchestrator/migrate",
    "bootstrap/secrets",
    "bootstrap/administrator",
}  # they end, so they need no probe
_spec = importlib.util.spec_from_file_location("render", FOLDER / "render.py")
assert _spec
assert _spec.loader
render = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(render)
