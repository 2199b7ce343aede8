"""A corpus of odd and damaged files, made by a seeded script, and the test that runs them all."""
