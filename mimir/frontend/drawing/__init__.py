"""Small plots as the pages draw them: data in, places and words out. Pure.

Law: a function here takes what the API answered and gives coordinates of an SVG, the sentence for those who do not see it, and its
numbers as a table; it asks nothing and knows no request. What cannot be drawn (missing, empty, not numbers) is None, never a fault: a
plot was made by a worker. Only `pages` imports it; `templates/plots/` turns it into markup.

- `scales`: axes with round numbers; `charts`: the one shape that `plots/_chart.html` draws
- `regression`, `classification`, `importance`: the plots of a model version, of one or several side by side
- `profiles`: the small pictures in the heads of a dataset's columns
"""
