"""Health of the MongoDB-protocol server in the compose test: a read, not just a ping."""

import pymongo

client = pymongo.MongoClient("mongodb://127.0.0.1:27017", serverSelectionTimeoutMS=3000)
client["health"]["reads"].find_one()
