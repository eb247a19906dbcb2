/// The memory between sessions and sockets: bytes that a socket gave lie here while a session reads them, bytes that a session
/// wrote until a socket takes them. One serves all sessions of one thread, so an idle session has no buffer. Not thread-safe.
public final class TLSWire {
  /// What a session reads from and writes to: plain memory, for callbacks from C.
  struct Ends {
    var incoming: UnsafeRawPointer?
    var incomingCount = 0
    var outgoing: UnsafeMutableRawPointer
    var outgoingCount = 0
    var outgoingCapacity: Int
  }
  let ends: UnsafeMutablePointer<Ends>
  /// Where a socket's bytes go before a session reads them.
  public let input: UnsafeMutableRawBufferPointer

  /// A turn's output of a connection, sealed, fits without growing.
  private static let outgoingBytes = 72 << 10
  /// What one read takes from a socket at most, unless said otherwise.
  public static let inputBytes = 64 << 10

  public init(inputBytes: Int = TLSWire.inputBytes) {
    input = .allocate(byteCount: inputBytes, alignment: 64)
    ends = .allocate(capacity: 1)
    ends.initialize(
      to: Ends(
        outgoing: .allocate(byteCount: TLSWire.outgoingBytes, alignment: 64), outgoingCapacity: TLSWire.outgoingBytes))
  }
  deinit {
    ends.pointee.outgoing.deallocate()
    ends.deallocate()
    input.deallocate()
  }

  /// What sessions wrote that no socket has taken yet; good until the next call of a session.
  var outgoing: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: ends.pointee.outgoing, count: ends.pointee.outgoingCount)
  }
  func clearOutgoing() { ends.pointee.outgoingCount = 0 }

  /// OpenSSL's kind of input and output that is this one; made once.
  static func method(_ library: TLSLibrary) -> OpaquePointer? {
    guard let method = library.wires.newMethod(TLSWire.kind, "tally") else { return nil }
    _ = library.wires.methodRead(method) { wire, place, count in TLSWire.read(wire, place, count) }
    _ = library.wires.methodWrite(method) { wire, bytes, count in TLSWire.write(wire, bytes, count) }
    _ = library.wires.methodControl(method) { _, command, _, _ in command == TLSWire.flush ? 1 : 0 }
    return method
  }
  /// A source and sink of the caller's own (`BIO_TYPE_SOURCE_SINK`).
  private static let kind: Int32 = 0x0400 | 100
  private static let flush: Int32 = 11
  private static let retryRead: Int32 = 0x01 | 0x08
  private static let allRetries: Int32 = 0x0F

  private static func read(_ wire: OpaquePointer, _ place: UnsafeMutableRawPointer?, _ count: Int32) -> Int32 {
    guard case .success(let library) = TLSLibrary.shared, let place, count > 0,
      let ends = library.wires.data(wire)?.assumingMemoryBound(to: Ends.self)
    else { return -1 }
    library.wires.clearFlags(wire, allRetries)
    guard ends.pointee.incomingCount > 0, let incoming = ends.pointee.incoming else {
      library.wires.setFlags(wire, retryRead)
      return -1
    }
    let moved = min(Int(count), ends.pointee.incomingCount)
    place.copyMemory(from: incoming, byteCount: moved)
    ends.pointee.incoming = incoming + moved
    ends.pointee.incomingCount -= moved
    return Int32(moved)
  }
  /// Takes all: how much may wait for a socket is bounded by whoever has a session write.
  private static func write(_ wire: OpaquePointer, _ bytes: UnsafeRawPointer?, _ count: Int32) -> Int32 {
    guard case .success(let library) = TLSLibrary.shared, let bytes, count >= 0,
      let ends = library.wires.data(wire)?.assumingMemoryBound(to: Ends.self)
    else { return -1 }
    library.wires.clearFlags(wire, allRetries)
    let total = ends.pointee.outgoingCount + Int(count)
    if total > ends.pointee.outgoingCapacity {
      let capacity = max(total, 2 * ends.pointee.outgoingCapacity)
      let grown = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
      grown.copyMemory(from: ends.pointee.outgoing, byteCount: ends.pointee.outgoingCount)
      ends.pointee.outgoing.deallocate()
      ends.pointee.outgoing = grown
      ends.pointee.outgoingCapacity = capacity
    }
    (ends.pointee.outgoing + ends.pointee.outgoingCount).copyMemory(from: bytes, byteCount: Int(count))
    ends.pointee.outgoingCount = total
    return count
  }
}
