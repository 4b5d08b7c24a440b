"""Estimates of recording accuracy from tables; empty until they are built.

Never opens the store: it is given tables.
"""
