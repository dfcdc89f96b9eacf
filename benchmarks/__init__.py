"""Speed, as ratios in one run: ``python -m benchmarks`` prints one JSON line a benchmark and its limit.

These machines are noisy, so a time alone says little: each figure stands beside a peer's, or a limit's,
taken in the same run.
"""
