<?php
// phpredis 5: a terminal that signs in over TLS, repeats by the error's word over several nodes, and pipelines.
const NODES = [["127.0.0.1", 7401], ["127.0.0.1", 7402], ["127.0.0.1", 7403]];

function connect(array $node): Redis {
    $c = getenv("TALLY_CERTIFICATES");
    $redis = new Redis();
    $redis->connect("tls://" . $node[0], $node[1], 2, null, 0, 6, ["stream" => [
        "cafile" => "$c/ca.crt", "local_cert" => "$c/till7.crt", "local_pk" => "$c/till7.key"]]);
    $redis->auth(["till7", getenv("TALLY_SECRET")]);
    $redis->rawCommand("CLIENT", "REPLY", "BULK");   // else each record would read as true
    return $redis;
}
// The same id on any node: an EARN that has been booked answers as it did.
function ask(string ...$words) {
    for ($attempt = 0; ; $attempt++) {
        try {
            $redis = connect(NODES[$attempt % count(NODES)]);
            $reply = $redis->rawCommand(...$words);
            if ($reply !== false) return $reply;
            $error = $redis->getLastError();
            if ($attempt >= 9 || !preg_match('/^(UNKNOWN|UNAVAILABLE|BUSY|LOADING)/', $error)) throw new Exception($error);
        } catch (RedisException $e) {
            if ($attempt >= 9) throw $e;
        }
        usleep(100000 << min($attempt, 5));
    }
}
echo ask("EARN", "ann", "merchant=shop", "points=5", "id=till7-p1"), "\n";
$redis = connect(NODES[0]);
$pipe = $redis->pipeline();
$pipe->rawCommand("BALANCE", "ann");
$pipe->rawCommand("EARN", "ann", "merchant=shop", "points=5", "id=till7-p2");
print_r($pipe->exec());
