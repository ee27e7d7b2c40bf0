"""What the demo prints."""

from mimir.dev.demo import lineage_lines


def test_the_lineage_is_printed_in_the_order_in_which_jobs_built_on_each_other() -> None:
    types = {"job:3": "ml_inference", "job:1": "pipeline_execution", "job:2": "ml_training"}
    nodes = [{"id": job, "job_type": kind} for job, kind in types.items()]
    nodes += [{"id": name} for name in ("dataset:days@1", "dataset:raw@1", "model:m@1", "dataset:out@1")]
    edges = [
        {"from": "job:3", "to": "dataset:out@1"},
        {"from": "model:m@1", "to": "job:3"},
        {"from": "dataset:days@1", "to": "job:2"},
        {"from": "job:1", "to": "dataset:days@1"},
        {"from": "job:2", "to": "model:m@1"},
        {"from": "dataset:raw@1", "to": "job:1"},
        {"from": "dataset:days@1", "to": "job:3"},
    ]
    assert lineage_lines(nodes, edges) == [
        "dataset:raw@1 > pipeline_execution > dataset:days@1",
        "dataset:days@1 > ml_training > model:m@1",
        "dataset:days@1, model:m@1 > ml_inference > dataset:out@1",
    ]
    assert lineage_lines([{"id": "job:1", "job_type": "x"}], [{"from": "a", "to": "job:1"}, {"from": "job:1", "to": "a"}]) == ["a > x > a"]
