"""The EC2 API on this machine: moto, made as strict as AWS where Kite depends on it."""
