"""Reading of table files: every format becomes one typed table.

Differences from the text of the file are reported as warnings.

Reading has four stages. `container` recognises the format and unpacks the file. A format module
(`delimited`, `jsontext`, `workbook`) writes the cells as text into Parquet files. `plan` chooses
one type for each column from all cells, with `infer` and the rules in `rules`. `read` runs the
stages in `read_table` and writes the typed Parquet file. Parquet files are kept, and `arrow`
converts Arrow files: both have types already.

No Django in here. The parsing child of the orchestrator and the worker import it; server processes
import only `options`, which runs no native parser.
"""
