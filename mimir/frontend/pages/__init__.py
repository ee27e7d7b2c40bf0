"""Pages, one package per feature.

`views` fetches from the API and renders; `present` (and other pure modules) turns API data into
what templates show. Templates are in `templates/<feature>/`.
"""
