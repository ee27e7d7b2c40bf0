"""Pages of clusters, for administrators."""
