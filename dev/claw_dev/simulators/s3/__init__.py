"""A stand-in for S3: one bucket, signatures checked to the letter, as much of the protocol as snapshots need."""
