"""The pages. Each module holds the views of one part of the product; all data comes from the API."""
