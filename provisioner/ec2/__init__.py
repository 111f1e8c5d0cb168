"""EC2: one client, bounded calls, what is seen and what is done."""
