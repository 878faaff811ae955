"""Export: a run's networks as files of other runtimes, each compared with the run."""
