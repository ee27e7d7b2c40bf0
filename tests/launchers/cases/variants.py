"""Messages of other versions, distributions, runtimes and add-ons, as in the recorded variants.

The recorded ones are in `tests/launchers/variants/`. Sources: public issues of containerd, CRI-O,
runc, crun, moby, kubernetes, OpenShift, Karpenter, autoscaler and CSI drivers.
"""

from tests.launchers.cases.variant_containers import COMMANDS, INITS, SIDECARS
from tests.launchers.cases.variant_nodes import ADMISSIONS, AUTOSCALERS, MOUNTS, PULLS, TAINTS

VARIANTS = [*ADMISSIONS, *SIDECARS, *INITS, *COMMANDS, *PULLS, *MOUNTS, *TAINTS, *AUTOSCALERS]
