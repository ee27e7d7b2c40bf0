"""Every write to the rows of jobs. One module an operation; `transition.py` holds the one writer of a job's status.

Law: keyword-only arguments, short transactions, no network call inside one; publishing and waking only on commit. Imported by the API,
the consumers, the dispatcher, the reconciler and the commands.
"""
