"""`digital_twin_update`: a dataset version becomes the changes of a twin.

Law: as all of the workload; each module imports its libraries inside the functions that need them where the others start without.
"""
