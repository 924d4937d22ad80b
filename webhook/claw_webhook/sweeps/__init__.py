"""What makes good whatever was missed: Stripe's own list of events, then everybody against everything."""
