"""What must stay as it is while the inside changes: runs, keys of answers, and the words of pages."""
