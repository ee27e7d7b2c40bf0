"""Base of all other packages of projects: access, audit, names, uses and origins of versions.

Code for one noun (datasets, twins, …) belongs in the package of that noun. Every package of this
app may import core; core imports only `projects.models`.
"""
