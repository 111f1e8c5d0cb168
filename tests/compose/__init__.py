"""The compose file brought up for real, in a container engine of the test's own."""
