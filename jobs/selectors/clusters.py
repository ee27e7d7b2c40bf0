"""Clusters as people meet them: the names and regions that a job may ask for."""

from jobs.models import Cluster

SHOWN_MAX = 20


def place_faults(*, cluster: str, region: str) -> dict[str, str]:
    """What is wrong with a place that a job asks for, by field; empty where nothing is.

    A cluster that is switched off may be asked for: it is there, the job waits for it and says so.
    """
    if not (cluster or region):
        return {}
    rows = list(Cluster.objects.order_by("name").values_list("name", "region"))
    names, regions = [name for name, _region in rows], sorted({where for _name, where in rows if where})
    if cluster and cluster not in names:
        return {"cluster": f"there is no cluster of that name: {_told(names)}"}
    if region and region not in regions:
        return {"region": f"no cluster is in that region: {_told(regions)}"}
    if cluster and region and (cluster, region) not in rows:
        where = dict(rows)[cluster]
        return {"region": f"the cluster {cluster} is in {where}" if where else f"the cluster {cluster} is in no region"}
    return {}


def _told(names: list[str]) -> str:
    """The names there are, so that a person can choose one."""
    if not names:
        return "there is none; leave it out"
    more = f" and {len(names) - SHOWN_MAX} more" if len(names) > SHOWN_MAX else ""
    return f"use {', '.join(names[:SHOWN_MAX])}{more}, or leave it out"
