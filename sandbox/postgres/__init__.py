"""Real PostgreSQL clusters of several majors, for the demo and the tests."""
