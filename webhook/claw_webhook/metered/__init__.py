"""Usage of the instances, on its way to a metered price. Start at `metering.py`."""
