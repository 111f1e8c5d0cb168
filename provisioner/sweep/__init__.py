"""The sweep of what the provisioner owns: machines, volumes and addresses without a cluster."""
