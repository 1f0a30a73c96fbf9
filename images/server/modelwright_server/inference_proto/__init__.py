"""The messages that go over gRPC: `*_pb2` are generated from the `.proto` files beside them by `hack/proto`.

They are declared in a pool of their own, because clients such as tritonclient declare messages of the same names, and
one pool takes each name once. Nothing but protobuf is imported here; `grpc_*.py` are who calls.
"""

from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()
