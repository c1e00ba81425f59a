"""Speed, memory and comparisons with peers. Each module is one command: python -m benchmarks.NAME."""
