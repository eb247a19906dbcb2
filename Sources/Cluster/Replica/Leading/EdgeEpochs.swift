/// What each edge's stream has said in its present epoch, as the leader keeps it: see `EdgeStream`. Within an epoch messages
/// are taken strictly in sequence, and none after one that was refused.
struct EdgeEpochs {
  enum Admission: Equatable {
    /// It is the next, and is taken.
    case taken
    /// It is of an epoch that is over, and says nothing new.
    case old
    /// All of its epoch is refused from that message on. The edge is told each time: the first word may have been lost with
    /// a link that it did not need in order to ask.
    case refused(from: UInt64)
  }
  private struct Epoch {
    var number: UInt32
    var nextMessage: UInt64
    var isRefused: Bool
  }
  private var epochs: [UInt32: Epoch] = [:]

  /// - Parameter isOpen: requests are taken here.
  mutating func receive(_ message: UInt64, of epoch: UInt32, from edge: UInt32, isOpen: Bool) -> Admission {
    let known = epochs[edge]
    let continues = known.map { $0.number == epoch && $0.nextMessage == message && !$0.isRefused } ?? false
    let begins = message == 0 && (known.map { Int32(bitPattern: epoch &- $0.number) > 0 } ?? true)
    guard continues || begins else {
      // A gap in the present epoch: what is missing is to be sent again.
      guard known.map({ $0.number == epoch }) ?? true else { return .old }
      return refuse(edge, epoch, from: known?.nextMessage ?? message)
    }
    guard isOpen else { return refuse(edge, epoch, from: message) }
    epochs[edge] = Epoch(number: epoch, nextMessage: message + 1, isRefused: false)
    return .taken
  }
  private mutating func refuse(_ edge: UInt32, _ epoch: UInt32, from message: UInt64) -> Admission {
    epochs[edge] = Epoch(number: epoch, nextMessage: message, isRefused: true)
    return .refused(from: message)
  }

  /// A peer has begun anew, or is gone: what its stream said before counts no more.
  mutating func forget(_ edge: UInt32) { epochs[edge] = nil }
  /// Requests are taken here no more. Returns the epochs of which some may be in doubt, by rising edge: the edge sorts out
  /// which, message by message.
  mutating func close() -> [(edge: UInt32, epoch: UInt32)] {
    defer { epochs.removeAll() }
    return epochs.filter { !$0.value.isRefused }.sorted { $0.key < $1.key }.map { ($0.key, $0.value.number) }
  }

  /// Of each edge its number, its epoch, the next message, and whether it is refused.
  var report: String {
    "\(epochs.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value.number):\($0.value.nextMessage):\($0.value.isRefused)" })"
  }
}
