"""Memory: what the customer, the assistant and the workspace's files hold, in one index, found by words and meaning."""
