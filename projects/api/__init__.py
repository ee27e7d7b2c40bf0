"""REST of projects: sessions, tokens, projects, members, datasets, pipelines.

Law: a view checks the body, calls one service or selector, answers. Who may is decided by `projects.access` alone.
"""
