"""Read models of jobs for the API and the pages: querysets and frozen values. No writes."""
