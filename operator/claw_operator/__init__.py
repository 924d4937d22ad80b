"""The operator: makes the world match every ClawInstance. Start reading at `reconcile.py`."""
