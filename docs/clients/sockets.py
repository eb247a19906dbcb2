"""Plain sockets: a terminal that signs in over TLS, repeats by the error's word over several nodes, and pipelines."""

import os, socket, ssl, time

NODES = [("127.0.0.1", 7401), ("127.0.0.1", 7402), ("127.0.0.1", 7403)]

def connect(address):
    c = os.environ["TALLY_CERTIFICATES"]
    context = ssl.create_default_context(cafile=f"{c}/ca.crt")
    context.load_cert_chain(f"{c}/till7.crt", f"{c}/till7.key")
    plain = socket.create_connection(address, timeout=6)
    lines = context.wrap_socket(plain, server_hostname=address[0]).makefile("rwb")
    return lines if exchange(lines, f"AUTH till7 {os.environ['TALLY_SECRET']}") == ["+OK"] else None

def exchange(lines, *requests):
    """A line each way; reads that answer with several records begin with *N."""
    lines.write("".join(f"{request}\r\n" for request in requests).encode())
    lines.flush()
    replies = []
    for _ in requests:
        line = lines.readline().decode().rstrip()
        if not line:
            raise ConnectionError("closed")
        replies.append(line)
    return replies

def ask(request):
    """The same id on any node: an EARN that has been booked answers as it did."""
    for attempt in range(10):
        try:
            lines = connect(NODES[attempt % 3])
            [reply] = exchange(lines, request)
            if not reply.startswith(("-UNKNOWN", "-UNAVAILABLE", "-BUSY", "-LOADING")):
                return reply
        except OSError:
            pass
        time.sleep(0.1 * 2 ** min(attempt, 5))
    raise TimeoutError(request)

print(ask("EARN ann merchant=shop points=5 id=till7-s1"))
print(exchange(connect(NODES[0]), "BALANCE ann", "EARN ann merchant=shop points=5 id=till7-s2"))
