"""Many users at once, against an EC2 that throttles as it says it does."""
