"""What the benchmarks of PostgreSQL steps are made of."""
