"""Reads functions and nested radicals by computer algebra, in processes that can be killed."""
