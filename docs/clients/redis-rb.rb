# redis-rb 4: a terminal that signs in over TLS, repeats by the error's word over several nodes, and pipelines.
require "redis"
NODES = [["127.0.0.1", 7401], ["127.0.0.1", 7402], ["127.0.0.1", 7403]]

def connect(host, port)
  c = ENV["TALLY_CERTIFICATES"]
  Redis.new(host: host, port: port, username: "till7", password: ENV["TALLY_SECRET"], timeout: 6, reconnect_attempts: 0,
            ssl: true, ssl_params: { ca_file: "#{c}/ca.crt", cert: OpenSSL::X509::Certificate.new(File.read("#{c}/till7.crt")),
                                     key: OpenSSL::PKey.read(File.read("#{c}/till7.key")) })
end

# The same id on any node: an EARN that has been booked answers as it did.
def ask(*words)
  (0..).each do |attempt|
    redis = connect(*NODES[attempt % NODES.size])
    return redis.call(words)
  rescue Redis::BaseError => e
    may_repeat = !e.is_a?(Redis::CommandError) || e.message =~ /\A(UNKNOWN|UNAVAILABLE|BUSY|LOADING)/
    raise if attempt >= 9 || !may_repeat
    sleep 0.1 * 2**[attempt, 5].min
  ensure
    redis&.close
  end
end

puts ask("EARN", "ann", "merchant=shop", "points=5", "id=till7-r1")
redis = connect(*NODES[0])
puts redis.pipelined { |pipe| pipe.call("BALANCE", "ann"); pipe.call("EARN", "ann", "merchant=shop", "points=5", "id=till7-r2") }
