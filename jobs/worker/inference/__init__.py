"""`ml_inference`: a model and a dataset version become predictions.

Law: as all of the workload; each module imports its libraries inside the functions that need them where the others start without.
"""
