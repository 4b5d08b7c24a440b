"""The revisions of the store's tables, in order; a published revision is never edited."""
