"""`ml_training`: a dataset version becomes a trained model.

Law: as all of the workload; each module imports its libraries inside the functions that need them where the others start without.
"""
