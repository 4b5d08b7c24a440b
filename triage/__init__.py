"""Finds records whose text discloses a crime that was never recorded, and ranks them for auditors.

The library behind the nightly job. It ranks and shows why; it never records, cancels or closes
anything, and never imports ``flows``, ``models`` or ``training_data`` (``cli.py`` excepted).
"""
