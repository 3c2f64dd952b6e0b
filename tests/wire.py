"""A small real HTTP server on loopback whose every move a test decides; it tells when clients leave."""

import contextlib
import json
import socket
import threading


class Exchange:
    """One request as it came, and the socket to answer it on."""

    def __init__(self, connection, number, head, body):
        self.connection, self.number, self.head, self.body = connection, number, head, body
        self.left = threading.Event()

    @property
    def json(self):
        return json.loads(self.body)

    def send(self, data):
        self.connection.sendall(data)

    def reply(self, body, status="200 OK", kind="application/json"):
        """A whole reply."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)

    def begin(self, kind="text/event-stream"):
        """The head of a chunked reply."""
        self.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())

    def chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.send(b"0\r\n\r\n")

    def wait_until_left(self, seconds=10):
        """Wait until the client has closed the connection; whether it did."""
        self.connection.settimeout(seconds)
        with contextlib.suppress(ConnectionError):
            try:
                while self.connection.recv(4096):
                    pass
            except TimeoutError:
                return False
        self.left.set()
        return True


class Server:
    """Serves each request with `handler(exchange)`, one thread per connection."""

    def __init__(self, handler):
        self.handler = handler
        self.exchanges = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(connection, self.connections), daemon=True).start()

    def serve(self, connection, number):
        with connection, contextlib.suppress(OSError):
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        return
                    data += more
                head, _, data = data.partition(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                while len(data) < length:
                    more = connection.recv(65536)
                    if not more:  # it was left in the middle
                        return
                    data += more
                exchange = Exchange(connection, number, head.decode("latin-1"), data[:length])
                data = data[length:]
                self.exchanges.append(exchange)
                self.handler(exchange)


@contextlib.contextmanager
def serving(handler):
    server = Server(handler)
    thread = threading.Thread(target=server.accept, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join(5)


def completion(content="", calls=(), finish=None, reasoning=None):
    """The bytes of a plain chat completion; calls are (id, name, arguments)."""
    message = {"role": "assistant", "content": content}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = [
            {"index": i, "id": one, "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (one, name, arguments) in enumerate(calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": finish or ("tool_calls" if calls else "stop")}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return json.dumps(
        {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
    ).encode()


def event(delta, finish=None):
    """One server-sent event with a delta."""
    chunk = {"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"
