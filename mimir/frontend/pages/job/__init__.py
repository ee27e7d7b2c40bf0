"""Page of one job: status, diagnosis, steps, log, files and results."""
