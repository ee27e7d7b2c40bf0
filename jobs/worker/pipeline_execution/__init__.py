"""`pipeline_execution`: run the steps of a pipeline. The steps are in `jobs.worker.pipelines`."""
