"""The Slurm profile, proven on a real one-node cluster."""
