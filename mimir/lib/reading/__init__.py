"""Reading of table files: every format becomes one typed table, and what differs from the file's
text is reported.

Reading has four stages. `container` unpacks and recognises the format. A format module
(`delimited`, `jsontext`, `workbook`, `arrow`) writes the cells as text into Parquet files. `infer`
chooses one type for each column from all cells, by the rules in `rules`. `table` writes the typed
Parquet file. `read.read_table` runs the stages.

No Django in here. The parsing child of the orchestrator and the worker import it; no server process
does, except for `options` and `messages`, which parse nothing native.
"""
