"""The registry of fitted models, verified before use.

Never opens the store and never promotes a model by itself.
"""
