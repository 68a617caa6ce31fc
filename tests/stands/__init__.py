"""A stand for each step: the system that it works on, and what can be seen there of what the step has done."""
