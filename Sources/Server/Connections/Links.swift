/// Connections to other nodes, and which of them something is to be done about: bytes to be sent, news for the node, an end
/// that is near. They are named by id, which may be of one that has gone meanwhile.
struct Links: ~Copyable {
  private var table: ConnectionTable<LinkConnection>
  /// Those that got output since they were last sent to, each once.
  private(set) var dirty: [UInt64] = []
  /// Those of whose drained output the node is to hear.
  private var drained: [UInt64] = []
  /// Requests for a link that came to nothing outside of its events: the node is to hear of it.
  private var failedRequests: [UInt64] = []
  /// Those being made or closed, each once: they have a deadline.
  private var timed: [UInt64] = []

  init(capacity: Int) { table = ConnectionTable(capacity: capacity) }

  var count: Int { table.count }
  var isFull: Bool { table.isFull }
  func find(_ id: UInt64) -> UnsafeMutablePointer<LinkConnection>? { table.find(id) }
  /// Takes in one that is there, or that is being made. There must be room.
  mutating func insert(_ link: consuming LinkConnection) -> UInt64 {
    let isTimed = link.isLimited
    let id = table.insert(link)
    if isTimed, let link = table.find(id) { noteDeadline(id, link) }
    return id
  }
  /// Gives one away, which must be there.
  mutating func remove(_ id: UInt64) -> LinkConnection { table.remove(id) }

  // MARK: Output

  /// Adds to the output of a link, which is dirty then.
  /// - Returns: false if it takes none any more.
  mutating func append(_ bytes: [UInt8], to id: UInt64) -> Bool {
    guard let link = table.find(id), !link.pointee.isClosing else { return false }
    link.pointee.output.append(bytes)
    if !link.pointee.isDirty {
      link.pointee.isDirty = true
      dirty.append(id)
    }
    return true
  }
  /// All that were dirty have been sent to.
  mutating func cleaned() { dirty.removeAll(keepingCapacity: true) }

  // MARK: Handshakes

  /// Of the links that others opened and that are not known yet: the oldest, if there are so many; nil: there are fewer.
  /// O(links with a deadline).
  func oldestStranger(ifOver most: Int) -> UInt64? {
    guard timed.count > most else { return nil }
    let strangers = timed.filter {
      table.find($0).map { $0.pointee.isHandshaking && $0.pointee.connecting == nil } ?? false
    }
    return strangers.count > most ? strangers.first : nil
  }

  // MARK: News for the node

  /// Whether there is any.
  var hasNews: Bool { !drained.isEmpty || !failedRequests.isEmpty }
  mutating func noteFailed(request: UInt64) { failedRequests.append(request) }
  mutating func noteDrained(_ id: UInt64) { drained.append(id) }
  /// The requests that failed since the last call.
  mutating func takeFailed() -> [UInt64] {
    var taken: [UInt64] = []
    swap(&taken, &failedRequests)
    return taken
  }
  /// Moves those that were drained since the last call into `list`, which is to be empty. Some may have output again.
  mutating func takeDrained(into list: inout [UInt64]) { swap(&list, &drained) }

  // MARK: An end that is near

  /// Closes a link, once its output is sent or its time is over.
  /// - Returns: false if there is nothing to wait for: it is to be removed now.
  mutating func beginClose(_ id: UInt64, at time: UInt64) -> Bool {
    guard let link = table.find(id), !link.pointee.isClosing else { return true }
    guard link.pointee.unsentCount > 0 else { return false }
    link.pointee.isClosing = true
    link.pointee.deadline = time + LoopOptions.closeTimeout
    noteDeadline(id, link)
    return true
  }
  mutating func noteDeadline(_ id: UInt64, _ link: UnsafeMutablePointer<LinkConnection>) {
    guard !link.pointee.isTimed else { return }
    link.pointee.isTimed = true
    timed.append(id)
  }
  /// Those that are still being made, or closed, when their time is over: they are to be removed. O(links with a deadline).
  mutating func takeExpired(at time: UInt64) -> [UInt64] {
    guard !timed.isEmpty else { return [] }
    var expired: [UInt64] = []
    var open: [UInt64] = []
    for id in timed {
      guard let link = table.find(id) else { continue }
      guard link.pointee.isLimited else {
        link.pointee.isTimed = false
        continue
      }
      if time >= link.pointee.deadline { expired.append(id) } else { open.append(id) }
    }
    timed = open
    return expired
  }
}
