"""Every read of the rows of jobs: querysets and frozen values. Law: writes nothing, publishes nothing."""
