"""The pages in a real browser; a package, so that browser and server end before the next folder's tests."""
