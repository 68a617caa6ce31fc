"""The parts of `benchmarks.bot`, one for each thing that is measured."""
