"""HTTP over `services` and `selectors`: the public REST of jobs and the worker API. Validates, calls one function, serialises."""
