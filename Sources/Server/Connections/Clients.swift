/// Terminals' connections, and which of them something is to be done about: to be read from, to be sent to, to be closed.
/// They are named by id, which may be of one that has gone meanwhile.
struct Clients: ~Copyable {
  private var table: ConnectionTable<ClientConnection>
  /// Those to be read from, in order, each once.
  private var ready: [UInt64] = []
  /// Those that got output since they were last sent to, each once.
  private(set) var dirty: [UInt64] = []
  /// Those with a request that has not arrived whole, by when they were noticed, each once.
  private var incomplete: [UInt64] = []
  /// Those that are being closed: they have a deadline.
  private var closing: [UInt64] = []
  /// Those that began a handshake, in that order, with when it must be over; some may have ended it, or gone.
  private var handshakes: [(id: UInt64, deadline: UInt64)] = []
  private var handshakesSeen = 0
  /// Those that wait for the figures, which are being made into text.
  private var awaitFigures: [UInt64] = []
  /// Those whose output has gone, and who have more to say.
  private var drained: [UInt64] = []
  private var useOrder = UseOrder()

  init(capacity: Int) { table = ConnectionTable(capacity: capacity) }

  var count: Int { table.count }
  var isFull: Bool { table.isFull }
  var allIDs: [UInt64] { table.allIDs }
  func find(_ id: UInt64) -> UnsafeMutablePointer<ClientConnection>? { table.find(id) }
  /// Takes one in. There must be room.
  mutating func insert(_ client: consuming ClientConnection) -> UInt64 {
    let id = table.insert(client)
    useOrder.arrived(ConnectionTable<ClientConnection>.place(of: id))
    return id
  }
  /// Gives one away, which must be there.
  mutating func remove(_ id: UInt64) -> ClientConnection {
    let client = table.remove(id)
    if !client.state.contains(.closing) { leaveOrder(id, hasSpoken: client.hasSpoken) }
    return client
  }

  // MARK: Input

  var hasReady: Bool { !ready.isEmpty }
  /// A client is to be read from, behind those that are already.
  mutating func enqueue(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) {
    guard !client.pointee.state.contains(.queued) else { return }
    client.pointee.state.insert(.queued)
    ready.append(id)
  }
  /// Moves those to be read from into `queue`, which is to be empty. Some may have gone.
  mutating func takeReady(into queue: inout [UInt64]) { swap(&queue, &ready) }
  /// Those of a queue that were not reached come before all that were enqueued meanwhile.
  mutating func putBack(_ queue: inout [UInt64], reached: Int) {
    queue.removeFirst(reached)
    if ready.isEmpty { swap(&queue, &ready) } else { ready.insert(contentsOf: queue, at: 0) }
  }

  /// Those of a queue that were passed over come behind all others.
  mutating func putBehind(_ ids: [UInt64]) { ready += ids }

  // MARK: Output

  /// Adds to the output of a client, which is dirty then.
  /// - Returns: false if it takes none any more.
  mutating func append(_ bytes: [UInt8], to id: UInt64) -> Bool {
    guard let client = table.find(id), !client.pointee.state.contains(.closing) else { return false }
    client.pointee.output.append(bytes)
    if !client.pointee.state.contains(.dirty) {
      client.pointee.state.insert(.dirty)
      dirty.append(id)
    }
    return true
  }
  /// All that were dirty have been sent to.
  mutating func cleaned() { dirty.removeAll(keepingCapacity: true) }

  // MARK: Requests that do not end

  /// Notes whether the leftover of a client is the begin of a request whose end has not come.
  /// - Parameter isNew: that request has begun at this time.
  mutating func noteIncomplete(
    _ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>, isNew: Bool, at time: UInt64
  ) {
    guard client.pointee.incompleteCount > 0 else {
      client.pointee.incompleteSince = 0
      return
    }
    if isNew || client.pointee.incompleteSince == 0 { client.pointee.incompleteSince = time }
    if !client.pointee.isListedIncomplete {
      client.pointee.isListedIncomplete = true
      incomplete.append(id)
    }
  }

  /// Why a client's request is waited for no longer.
  enum Overdue { case tooLong, tooMuch }
  /// Those that are to be closed: whose request has taken too long to arrive, and the oldest of the others while all
  /// together hold too much. Bytes that the node left because it takes nothing more for now do not count. O(those listed).
  mutating func takeOverdue(at time: UInt64, _ options: LoopOptions) -> [(id: UInt64, reason: Overdue)] {
    guard !incomplete.isEmpty else { return [] }
    var listed: [UInt64] = []
    swap(&listed, &incomplete)
    var byteCount = listed.reduce(0) { sum, id in
      table.find(id).map { sum + ($0.pointee.isHeld ? 0 : $0.pointee.incompleteCount) } ?? sum
    }
    var overdue: [(id: UInt64, reason: Overdue)] = []
    for id in listed {
      guard let client = table.find(id) else { continue }
      if client.pointee.incompleteCount == 0 || client.pointee.state.contains(.closing) {
        client.pointee.isListedIncomplete = false
      } else if client.pointee.isHeld {
        client.pointee.incompleteSince = time
        incomplete.append(id)
      } else if time - client.pointee.incompleteSince >= options.incompleteTimeout {
        overdue.append((id, .tooLong))
      } else if byteCount > options.incompleteBytesMax {
        byteCount -= client.pointee.incompleteCount
        overdue.append((id, .tooMuch))
      } else {
        incomplete.append(id)
      }
    }
    return overdue
  }

  // MARK: Figures

  /// One waits for the figures. Those who ask while they are being made into text have the same: so however many ask, one text
  /// is made at a time.
  /// - Returns: whether they are to be made.
  mutating func awaitsFigures(_ id: UInt64) -> Bool {
    awaitFigures.append(id)
    return awaitFigures.count == 1
  }
  mutating func takeAwaitingFigures() -> [UInt64] {
    defer { awaitFigures = [] }
    return awaitFigures
  }

  // MARK: Streams

  mutating func noteDrained(_ id: UInt64) { drained.append(id) }
  mutating func takeDrained() -> [UInt64] {
    if drained.isEmpty { return [] }
    defer { drained = [] }
    return drained
  }

  // MARK: Room

  /// A client has sent something.
  mutating func noteUse(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>) {
    useOrder.spoke(ConnectionTable<ClientConnection>.place(of: id), hadSpoken: client.pointee.hasSpoken)
    client.pointee.hasSpoken = true
  }
  private mutating func leaveOrder(_ id: UInt64, hasSpoken: Bool) {
    useOrder.left(ConnectionTable<ClientConnection>.place(of: id), hasSpoken: hasSpoken)
  }
  /// The one that has been idle for longest, see `UseOrder`; nil if none of the oldest may be closed.
  /// - Parameter isIdle: whether the node has nothing to do for a client.
  func longestIdle(where isIdle: (UInt64) -> Bool) -> UInt64? {
    let place = useOrder.first { place in
      let id = table.id(at: place)
      guard let client = table.find(id), !client.pointee.isHeld, client.pointee.unsentCount == 0 else { return false }
      return isIdle(id)
    }
    return place.map { table.id(at: $0) }
  }

  // MARK: Handshakes

  /// The handshake of one that was just taken in has begun; deadlines rise.
  mutating func beganHandshake(_ id: UInt64, until deadline: UInt64) { handshakes.append((id, deadline)) }
  /// The next whose handshake has taken too long: it is to be removed.
  mutating func nextLateHandshake(at time: UInt64) -> UInt64? {
    while handshakesSeen < handshakes.count, handshakes[handshakesSeen].deadline <= time {
      let id = handshakes[handshakesSeen].id
      handshakesSeen += 1
      if find(id)?.pointee.state.contains(.handshaking) ?? false { return id }
    }
    if handshakesSeen >= 64 && handshakesSeen * 2 >= handshakes.count {
      handshakes.removeFirst(handshakesSeen)
      handshakesSeen = 0
    }
    return nil
  }

  // MARK: An end that is near

  /// Begins to close a client: no output is added any more, and at its deadline it goes.
  /// - Returns: false if it was begun before.
  mutating func beginClose(_ id: UInt64, _ client: UnsafeMutablePointer<ClientConnection>, at time: UInt64) -> Bool {
    guard !client.pointee.state.contains(.closing) else { return false }
    client.pointee.state.insert(.closing)
    leaveOrder(id, hasSpoken: client.pointee.hasSpoken)
    client.pointee.deadline = time + LoopOptions.closeTimeout
    closing.append(id)
    return true
  }
  /// Those that are still being closed when their time is over: they are to be removed. O(those being closed).
  mutating func takeExpired(at time: UInt64) -> [UInt64] {
    guard !closing.isEmpty else { return [] }
    var expired: [UInt64] = []
    var open: [UInt64] = []
    for id in closing {
      guard let client = table.find(id) else { continue }
      if time >= client.pointee.deadline { expired.append(id) } else { open.append(id) }
    }
    closing = open
    return expired
  }
}
