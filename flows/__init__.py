"""When things run: the only room that imports Prefect.

It puts the library's functions in order, holds the lock of the night and prints what was done.
It must never decide anything about a record, and never hand Prefect a record's text.
"""
