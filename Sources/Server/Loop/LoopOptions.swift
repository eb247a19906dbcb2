import HTTP

/// The bounds of a loop.
struct LoopOptions: Sendable {
  var clientsMax = 20_000
  /// Connections that terminals of one address may have; nil: any number. Never counts those of this machine itself.
  var connectionsPerAddress: Int?
  /// How much memory the process may use, in bytes; nil: by what the machine has.
  var memoryLimit: UInt64?
  /// Descriptors that the process may have: what the disk and the links to other nodes leave of them is for terminals.
  var descriptorsMax = 1 << 20
  var readBytesMax = 64 << 10
  var turnBytesMax = 256 << 10
  var stopSeconds = 10
  /// Whether a loop that has nothing else to do writes the log itself, in place of sleeping until the log thread has.
  var writesWhenIdle = false
  /// A write of the log that takes longer, in microseconds, is slow.
  var slowLogWrite: UInt64 = 20_000

  /// What the operator has said of HTTP.
  var gateway = Gateway.Settings()

  /// A client with more unsent output is not read from, until it has less than the other.
  static let unsentBytesMax = 1 << 20
  static let unsentBytesLow = 256 << 10
  /// What a client may have sent that the node neither consumed nor said to wait for.
  static let leftoverBytesMax = 256 << 10
  /// What all terminals together may have sent of requests that do not end: over it, those wait longest are closed.
  var incompleteBytesMax = 64 << 20
  static let linksMax = 4096
  /// Unsent bytes at which a link is given up.
  static let linkUnsentBytesMax = 256 << 20
  /// Unconsumed bytes at which a link is given up: two of the longest frames.
  static let linkInputBytesMax = 128 << 20
  static let linkReadBytes = 256 << 10
  /// Connections taken in a turn.
  static let acceptsMax = 128
  /// In microseconds.
  static let tickInterval: UInt64 = 10_000
  static let memoryInterval: UInt64 = 100_000
  static let connectTimeout: UInt64 = 3_000_000
  /// Steps of handshakes in a turn, of terminals, and of links that others opened: some 5 ms each.
  static let handshakesMax = 8
  /// Links that others opened whose handshake is under way; with one more, the oldest is closed.
  static let strangersMax = 128
  static let closeTimeout: UInt64 = 10_000_000
  static let lingerTimeout: UInt64 = 1_000_000
  /// So long a TLS handshake may take.
  var handshakeTimeout: UInt64 = 10_000_000
  /// So long a request may take to arrive.
  var incompleteTimeout: UInt64 = 30_000_000
  /// Where there is no descriptor for a connection that waits, it is looked for again after so long.
  static let acceptPause: UInt64 = 100_000
  /// Links to and from other nodes that there may come to be, beside those that are there.
  static let linksExpected = 16
  /// Fewer terminals are never allowed, however many descriptors there are.
  static let clientsMin = 32
  /// The system is given back free memory when connections with so many bytes were closed since it last was.
  static let trimBytes = 16 << 20
  /// What an idle connection costs, here and in the node.
  static let bytesOfClient = 2 << 10
  /// And its TLS session.
  static let bytesOfSession = 16 << 10
  /// The end of one counts as so many bytes read.
  static let endOfSessionBytes = 4 << 10
  /// Listeners, the poller, the log's end and the like.
  static let descriptorsOfLoop = 16
  /// Connections looked at for one that is idle.
  static let idleLooks = 1024
  static let slowTurn: UInt64 = 250_000
  /// For so long the loop does not write the log itself, after a write that was slow.
  static let slowLogPause: UInt64 = 10_000_000
}
