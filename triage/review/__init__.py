"""What auditors and the registrar say of an item; empty until the review pages are built.

Never writes by itself: decisions are returned to the store's caller.
"""
