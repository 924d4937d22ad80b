"""The customer's Google account: connected by themselves, its tokens encrypted, Gmail and Calendar with its scopes."""
