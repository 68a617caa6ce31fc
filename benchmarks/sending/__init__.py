"""The parts of `benchmarks.send` that run in processes of their own."""
