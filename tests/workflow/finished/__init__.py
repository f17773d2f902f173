"""What holds of a run that has ended. One process runs these tests, because they share that run."""
