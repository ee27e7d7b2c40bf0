"""Import of an uploaded file: reading options, preview, dataset."""
