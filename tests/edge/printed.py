"""The JSON blocks of the first contract, byte for byte as they were printed."""

CREATE_REQUEST = """\
{
"milvus-name": "search-cats",
"milvus-type" : "M5",
"disk-size" : 50
}"""
CREATE_ANSWER = """\
{
"milvs-name" : "search-cats",
"milvus-url" : "ec2-52-82-52-246.cn-northwest-1.compute.amazonaws.com.cn",
"milvus-port" : "19530",
}"""
CREATE_FAILURE = """\
{
"reason" : "the reason of failed",
"description" : "can't create aws instances"
}"""
STORED = """\
{
"username" : "milvus-test",
"milvus-name" : "search-cats",
"milvus-url" : "ec2-52-82-52-246.cn-northwest-1.compute.amazonaws.com.cn",
"milvus-port" : "19530",
"milvus-type" : "M5",
"subnet-id" : "subnet-64b1090d",
"security-groups" : [
{
"group-name" : "sg-base",
},
{
"group-name" : "sg-miluvs-test"
}
],
"instances" :[
{
"node-type" : "master",
"instance-id" : "i-00879b91cf475a597",
"status" : "starting",
"key-pair" : "zilliz-hz02",
"public-ip" : "52.82.52.246",
"private-ip" : "172.31.9.114",
},
{
"node-type" : "worker",
"instance-id" : "i-0102e93a4413df1ba",
"status" : "loading",
"key-pair" : "zilliz-hz02",
"public-ip" : "3.12.47.200",
"private-ip" : "172.31.9.115",
}
]
}"""
DELETE_REQUEST = """\
{
"milvus-name": "search-cats",
}"""
DELETE_ANSWER = """\
{
"milvs-name" : "search-cats",
"milvus-url" : "ec2-52-82-52-246.cn-northwest-1.compute.amazonaws.com.cn",
"milvus-port" : "19530",
}"""
DELETE_FAILURE = """\
{
"reason" : "the reason of failed",
"description" : "can't create aws instances"
}"""
WHITELIST_REQUEST = """\
{
"milvus-name": "search-cats",
"ip-ranges" : [
{
"source-ip" : "115.236.166.154/32",
"port-type" : "miluvs-port"
}
{
"source-ip" : "115.236.166.154/32",
"port-type" : "miluvs-em-port"
}
]
}"""
WHITELIST_ANSWER = """\
{
"ip-ranges" : [
{
"source-ip" : "115.236.166.154/32",
"port-type" : "miluvs-port"
}
{
"source-ip" : "115.236.166.154/32",
"port-type" : "miluvs-em-port"
}
]
}"""
WHITELIST_FAILURE = """\
{
"reason" : "the reason of failed",
"description" : "can't create aws instances"
}"""
READ_REQUEST = """\
{
"milvs-name" : "search-cats"
}"""

ALL = {
    "create_request": CREATE_REQUEST,
    "create_answer": CREATE_ANSWER,
    "create_failure": CREATE_FAILURE,
    "stored": STORED,
    "delete_request": DELETE_REQUEST,
    "delete_answer": DELETE_ANSWER,
    "delete_failure": DELETE_FAILURE,
    "whitelist_request": WHITELIST_REQUEST,
    "whitelist_answer": WHITELIST_ANSWER,
    "whitelist_failure": WHITELIST_FAILURE,
    "read_request": READ_REQUEST,
}
