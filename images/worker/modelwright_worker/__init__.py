"""What runs in Jobs: `ingest` makes a dataset version, `train` a model, `fetch` and `push` an image.

May import `modelwright_contract`, NumPy, pyarrow, DuckDB, scikit-learn, boto3 and requests; nothing of the operator.
The Job's container calls `modelwright_worker.__main__`; each step imports what it needs only when it is asked for.
"""
