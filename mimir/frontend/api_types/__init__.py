"""Shapes of the API's answers, one module per noun. A test compares them with the OpenAPI document.

`api_client.Api` returns parsed JSON; the caller annotates it with one of these shapes.
"""
