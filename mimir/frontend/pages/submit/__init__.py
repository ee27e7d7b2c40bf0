"""Form that submits a job."""
