"""The whole product on one machine, told as a story through the HTTP API and pymilvus only."""
