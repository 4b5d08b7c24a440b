"""The review pages: a queue, an item, a decision, the registrar's desk.

Shows and writes down; every rule of who may do what, and when, is the review's, and every row the store's.
"""
