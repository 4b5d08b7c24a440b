"""The desk: what auditors and registrars see and take away, at a terminal and in files.

It shows what the store holds and never decides; it must never show a text without the store having logged it,
and never let anything in a text act on a screen or in a spreadsheet.
"""
