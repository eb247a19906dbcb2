"""redis-py: a terminal that signs in over TLS, repeats by the error's word over several nodes, and pipelines."""

import os, time
import redis

NODES = [("127.0.0.1", 7401), ("127.0.0.1", 7402), ("127.0.0.1", 7403)]
AGAIN = ("UNKNOWN", "UNAVAILABLE", "BUSY", "LOADING")

def connect(host, port):
    c = os.environ["TALLY_CERTIFICATES"]
    return redis.Redis(host, port, protocol=3, decode_responses=True, socket_timeout=6,
                       username="till7", password=os.environ["TALLY_SECRET"], ssl=True, ssl_ca_certs=f"{c}/ca.crt",
                       ssl_certfile=f"{c}/till7.crt", ssl_keyfile=f"{c}/till7.key")

def ask(*words):
    """The same id on any node: an EARN that has been booked answers as it did."""
    for attempt in range(10):
        try:
            return connect(*NODES[attempt % 3]).execute_command(*words)
        except (redis.ConnectionError, redis.TimeoutError):
            pass
        except redis.ResponseError as error:
            if not str(error).startswith(AGAIN):
                raise
        time.sleep(0.1 * 2 ** min(attempt, 5))
    raise TimeoutError(words)

print(ask("EARN", "ann", "merchant=shop", "points=5", "id=till7-y1"))
pipeline = connect(*NODES[0]).pipeline(transaction=False)
pipeline.execute_command("BALANCE", "ann")
pipeline.execute_command("EARN", "ann", "merchant=shop", "points=5", "id=till7-y2")
print(pipeline.execute(raise_on_error=False))
