"""Rules for a worker that the scheduler cannot place, most actionable cause first. Pure.

The scheduler reports for each objection how many nodes it ruled out: `0/5 nodes are available: 1
Insufficient cpu, 4 node(s) had untolerated taint {gpu: true}. preemption: …`. A node is counted
under the first filter that it fails, and capacity is checked after taints, selectors and affinity:
a shortage therefore is what keeps the worker off the nodes that are meant for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jobs.diagnosis.catalogue import placement as says
from jobs.diagnosis.kubernetes.cause import Cause
from jobs.diagnosis.kubernetes.objects import Object
from jobs.diagnosis.kubernetes.quantities import (
    CPU,
    DISK,
    MEMORY,
    amount_text,
    ever_fits,
    is_gpu,
    labelled,
    largest,
    offering,
    quantity,
    size_text,
)
from jobs.diagnosis.kubernetes.rules_refusal import missing_claim
from jobs.diagnosis.kubernetes.taints import blocking, is_control_plane, state_of, usable
from jobs.diagnosis.kubernetes.worker_spec import WorkerSpec
from jobs.diagnosis.message import Param

UNSCHEDULABLE = "Unschedulable"  # the scheduler's reason
Nodes = Sequence[Object] | None

_HEAD = re.compile(r"(\d+)/(\d+) nodes are available:?\s*")
_TAIL = re.compile(
    r"\.?\s*(?:no new claims to deallocate|preemption:|Preemption is not helpful|no new victims)"
    r".*",
    re.S,
)
_PART = re.compile(r"^(\d+)\s+(.*)$", re.S)
_SHORT = re.compile(r"(?:Insufficient|Too many requests for) (\S+)")
_TAINT = re.compile(r"taint(?:\(s\))?\s*\{([^}]*)\}|taint \{([^}]*)\}")
_CLAIM_MISSING = re.compile(r'persistentvolumeclaim "([^"]+)" (?:not found|is being deleted)')
_CLASS_MISSING = re.compile(r'storageclass(?:\.storage\.k8s\.io)? "([^"]+)" not found', re.I)
_UNBOUND = re.compile(
    r"unbound immediate PersistentVolumeClaims|binding volumes|provisioning failed"
    r"|waiting for (?:ephemeral volume controller|a volume to be created)",
    re.I,
)
_VOLUME = re.compile(
    r"volume node affinity|persistent volumes? to bind|volume zone|max volume count"
    r"|available volume|non-existent p(?:v|ersistentvolume)|ReadWriteOncePod|enough free storage"
    r"|disk conflict|persistentvolumeclaim|PersistentVolume|volume limit",
    re.I,
)
_SELECTOR = re.compile(
    r"node affinity|node selector|node\(s\) didn't match (?:Pod's|the requested node)|node label",
    re.I,
)
_CODES = {
    CPU: "unschedulable_cpu",
    MEMORY: "unschedulable_memory",
    DISK: "unschedulable_disk",
}
_PARTS_MAX, _TAINTS_MAX = 6, 5


@dataclass(frozen=True, slots=True)
class Objection:
    """One objection of the scheduler to `count` nodes; 0 where it is not about nodes."""

    count: int
    text: str

    def short_of(self) -> str:
        """Return the resource that is short; empty for another objection."""
        found = _SHORT.match(self.text)
        return found[1].rstrip(".") if found else ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A scheduler's message, parsed."""

    message: str
    node_count: int | None
    objections: tuple[Objection, ...]

    def params(self) -> dict[str, Param]:
        """Return the node count, and the objections if there are several nodes or objections."""
        several = len(self.objections) > 1 or (self.node_count or 0) > 1
        listed = (
            f"{each.count} × {each.text}" if each.count else each.text
            for each in self.objections[:_PARTS_MAX]
        )
        return {
            "nodes": self.node_count,
            "objections": "; ".join(listed) if several else "",
        }


def read_verdict(message: str) -> Verdict:
    """Parse a scheduler's message."""
    head = _HEAD.search(message)
    body = _TAIL.sub("", message[head.end() :] if head else message).strip().rstrip(".")
    objections = []
    for part in re.split(r",\s+(?=\d+ )|,\s+(?=persistentvolumeclaim |pod has )", body):
        found = _PART.match(part.strip())
        objections.append(
            Objection(int(found[1][:9]), found[2].strip()) if found else Objection(0, part.strip())
        )
    return Verdict(
        message, int(head[2][:9]) if head else None, tuple(each for each in objections if each.text)
    )


def placement_cause(
    message: str, spec: WorkerSpec, nodes: Nodes, notes: tuple[str, ...] = ()
) -> Cause:
    """Return why the scheduler finds no node.

    `notes`: reports of an autoscaler or a provisioner.
    """
    verdict = read_verdict(message)
    found = (
        _claim(verdict, spec)
        or _shortage(verdict, spec, nodes)
        or _wrong_place(verdict, spec, nodes)
        or _other(verdict)
    )
    raw = f"{UNSCHEDULABLE}: {message}"
    return replace(found, notes=notes, raw=raw, cluster_reason=UNSCHEDULABLE)


def _claim(verdict: Verdict, spec: WorkerSpec) -> Cause | None:
    if missing := _CLAIM_MISSING.search(verdict.message):
        return missing_claim(missing[1], deleted="is being deleted" in missing[0])
    if storage_class := _CLASS_MISSING.search(verdict.message):
        params = {"claim": spec.claim, "storage_class": storage_class[1]}
        return Cause(says.CLAIM_WITHOUT_CLASS, params)
    unbound = _UNBOUND.search(verdict.message)
    return Cause(says.CLAIM_UNBOUND, {"claim": spec.claim}) if unbound else None


def _shortage(verdict: Verdict, spec: WorkerSpec, nodes: Nodes) -> Cause | None:
    short: dict[str, int] = {}
    for each in verdict.objections:
        if name := each.short_of():
            short[name] = short.get(name, 0) + each.count
    gpu = next((name for name in short if is_gpu(name)), "")
    if gpu and not any("gpu" in taint.lower() for taint in _taints(verdict)):
        return _gpu(verdict, gpu, spec, nodes)
    known = [name for name in short if name in _CODES]
    if not known:
        return None
    # A resource that no node has enough of comes first: waiting helps with the others.
    name = max(known, key=lambda each: (_too_large(each, spec, nodes), short[each], each == MEMORY))
    return _short_of(name, verdict, spec, nodes)


def _too_large(resource: str, spec: WorkerSpec, nodes: Nodes) -> bool:
    amount = spec.requests.get(resource)
    return bool(nodes) and amount is not None and largest(nodes or (), resource) < quantity(amount)


def _short_of(resource: str, verdict: Verdict, spec: WorkerSpec, every: Nodes) -> Cause:
    amount = spec.requests.get(resource)
    # Count only nodes that the worker can run on; all of them where it can run on none.
    nodes = (usable(every, spec.tolerations, spec.selector) or every) if every is not None else None
    never = bool(nodes and spec.requests and not ever_fits(nodes, spec.requests))
    code = _CODES[resource]
    if _too_large(resource, spec, nodes):
        code += ".largest"
    elif never:
        code += ".together"
    taints = _named_taints(verdict, spec, every)
    params = {
        **verdict.params(),
        "resource": resource,
        "requested": amount,
        "wanted": amount_text(resource, amount) if amount else f"enough {resource}",
        "largest_size": size_text(resource, largest(nodes, resource)) if nodes else "",
        "other_nodes": _nodes_with(taints),
        "tolerable": _braces(_chosen(taints)),
        "never_fits": True if never else None,
    }
    return Cause(says.SHORTAGES[code], params)


def _gpu(verdict: Verdict, resource: str, spec: WorkerSpec, nodes: Nodes) -> Cause:
    amount = spec.requests.get(resource)
    offered = offering(nodes, resource) if nodes is not None else None
    too_large = _too_large(resource, spec, nodes)
    if offered is None:
        found = says.GPU_BUSY
    elif offered == 0:
        found = says.GPU_NOT_OFFERED
    else:
        found = says.GPU_TOO_FEW if too_large else says.GPU_IN_USE
    params = {
        **verdict.params(),
        "resource": resource,
        "requested": amount,
        "wanted": amount_text(resource, amount) if amount else resource,
        "largest_size": f"{largest(nodes or (), resource):.4g}",
        "offering": offered,
        "node_count": len(nodes) if nodes is not None else None,
        "never_fits": True if too_large else None,
    }
    return Cause(found, params)


def _wrong_place(verdict: Verdict, spec: WorkerSpec, nodes: Nodes) -> Cause | None:
    """Return the cause if a volume, a node selector or a taint rules out nodes; else None."""
    if any(_VOLUME.search(each.text) for each in verdict.objections):
        return Cause(says.VOLUME_ELSEWHERE, {**verdict.params(), "claim": spec.claim})
    if any(_SELECTOR.search(each.text) for each in verdict.objections):
        return _selector(verdict, spec, nodes)
    if any("taint" in each.text for each in verdict.objections):
        return _taint(verdict, spec, nodes)
    return None


def _selector(verdict: Verdict, spec: WorkerSpec, nodes: Nodes) -> Cause:
    label = ", ".join(
        f"{name}={value}" if value else name for name, value in sorted(spec.selector.items())
    )
    if not label:
        found = says.SELECTOR
    elif nodes is not None and labelled(nodes, spec.selector):
        found = says.SELECTOR_FULL
    else:
        found = says.SELECTOR_NO_NODE
    return Cause(found, {**verdict.params(), "selector": label})


def _taints(verdict: Verdict) -> list[str]:
    """Return the taints that the scheduler names, as `key: value`."""
    found = [
        match[1] or match[2] or ""
        for each in verdict.objections
        for match in _TAINT.finditer(each.text)
    ]
    return list(dict.fromkeys(taint.strip().rstrip(":").strip() for taint in found))


def _named_taints(verdict: Verdict, spec: WorkerSpec, nodes: Nodes) -> list[str]:
    """Return the taints that block the worker.

    Schedulers from 1.34 on do not name them. They are then read from `nodes`, if these are known.
    """
    named = _taints(verdict)
    if named or not any("taint" in each.text for each in verdict.objections):
        return named
    found = (taint for node in nodes or () for taint in blocking(node, spec.tolerations))
    return list(dict.fromkeys(found))[:_TAINTS_MAX]


def _chosen(taints: Sequence[str]) -> list[str]:
    """Return the taints for which an administrator can add a toleration."""
    return [taint for taint in taints if not state_of(taint) and not is_control_plane(taint)]


def _braces(taints: Sequence[str]) -> str:
    return ", ".join(f"{{{taint}}}" for taint in taints)


def _nodes_with(taints: Sequence[str]) -> str:
    """Return the state of the nodes with these taints, or the taints that they have."""
    states = list(dict.fromkeys(state for taint in taints if (state := state_of(taint))))
    fixed = _braces([taint for taint in taints if not state_of(taint)])
    parts = (
        f"nodes are {', '.join(states)}" if states else "",
        f"nodes have the taint {fixed}, which the worker does not tolerate" if fixed else "",
    )
    return " and ".join(part for part in parts if part)


def _taint(verdict: Verdict, spec: WorkerSpec, nodes: Nodes) -> Cause:
    taints = _named_taints(verdict, spec, nodes)
    chosen = _chosen(taints)
    if any(state_of(taint) for taint in taints):
        found = says.TAINT_TEMPORARY_AND_RESERVED if chosen else says.TAINT_TEMPORARY
    elif chosen:
        found = says.TAINT_RESERVED
    else:
        found = says.TAINT_CONTROL_PLANE if taints else says.TAINT_UNKNOWN
    params = {
        **verdict.params(),
        "nodes_are": _nodes_with(taints)
        or "the nodes have taints that the worker does not tolerate",
        "taints": ", ".join(taints),
    }
    return Cause(found, params)


def _other(verdict: Verdict) -> Cause:
    for text, found in says.OBJECTIONS.items():
        if text.lower() in verdict.message.lower():
            return Cause(found, verdict.params())
    short = ", ".join(
        dict.fromkeys(each.short_of() for each in verdict.objections if each.short_of())
    )
    if short:
        return Cause(says.SHORT_OF_OTHER, {**verdict.params(), "resource": short})
    return Cause(says.UNSCHEDULABLE, {**verdict.params(), "report": verdict.message.rstrip(".")})
