"""Build the documentation site: collect the pages and generate the reference from the code."""
