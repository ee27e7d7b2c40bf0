"""The dispatcher process: admit queued jobs and launch their workers."""
