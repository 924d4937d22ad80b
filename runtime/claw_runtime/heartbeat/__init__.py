"""The heartbeat: now and then the assistant looks at its checklist without being asked, and mostly stays quiet."""
