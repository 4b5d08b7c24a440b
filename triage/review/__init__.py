"""What auditors decide: outcomes, the states of an item's review, and who may do what.

Pure: rows and moments come in as arguments. It must never open the store, and never knows a page.
"""
