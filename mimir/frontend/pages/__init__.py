"""Pages, one package per feature.

`views` fetches from the API and renders; `present` (and other pure modules) turns API data into
template contexts. Templates are in `templates/<feature>/`.
"""
