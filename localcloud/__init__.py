"""EC2 made real on one Linux machine: every instance is a pretend host that can be reached."""
