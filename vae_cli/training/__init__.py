"""Training: the learner, its schedules, callbacks and exact resume."""
