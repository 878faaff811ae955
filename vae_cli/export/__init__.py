"""Export: a run's networks for other runtimes, each file compared with the run."""
