"""Plots: data in, coordinates and text out. Pure.

A function takes what the API returned and returns SVG coordinates, a sentence for screen readers,
and the numbers as a table. Data that cannot be drawn (missing, empty, not numeric) gives None, not
an error, because it comes from a worker and can be invalid. Only `pages` imports this package;
`templates/plots/` renders its results.

- `scales`: axes with round numbers; `charts`: the shape that `plots/_chart.html` draws
- `regression`, `classification`, `importance`: plots of one or several model versions
- `profiles`: small pictures in the column headers of a dataset
"""
