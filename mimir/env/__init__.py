"""The settings of every process, read once from the environment.

A setting `name` comes from the first of: the variable `NAME`; the file that `NAME_FILE` names
(for secrets); the key `name` in the YAML file that `MIMIR_CONFIG` names (default
`/app/config/config.yaml`); its default. A process with invalid settings does not start: one
message lists all faults, by name and without values.

`web`, `storage`, `workers`, `scheduling` and `quotas` define the settings, `parse` reads their
texts, `consistency` checks them together, `reader` builds `Env`.
"""

from mimir.env.reader import BadEnvironment, Env, demand_frontend_keys, load
from mimir.env.setting import Role

__all__ = ["BadEnvironment", "Env", "Role", "demand_frontend_keys", "load"]
