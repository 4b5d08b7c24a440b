"""What models are built from: the invented corpus, later a force's history and audit outcomes.

Builds training tables from rows it is given. Never opens the store, never fits a model.
"""
