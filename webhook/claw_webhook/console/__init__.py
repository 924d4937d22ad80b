"""`claw billing` and `claw customers`: what the person who runs the service sees and decides."""
