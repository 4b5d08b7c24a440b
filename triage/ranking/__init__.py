"""Which records to read first: what they disclose, minus what is recorded, within tonight's budget.

Scores are probabilities and ties are broken by hashes. Never records, cancels or closes anything, and
never draws from a random generator.
"""
