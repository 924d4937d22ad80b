"""What was used, what there is, and the plan's limits on both."""
