"""The workspace: the files that make the assistant itself. The database has the truth, the disk a mirror of it."""
