"""What a text says: its words and clauses, the families of offences, what codes and forms mean.

Knows no scores and no crimes of a night. Never reads a file of the force, and never downloads anything.
"""
