"""Owner of machines: instances, volumes, addresses and what is installed on them."""
