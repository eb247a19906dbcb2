import Base
import Protocol

/// The terminals that are connected: whose answer is whose, who is read on, and what goes out at the turn's end.
struct ClientTable {
  /// By the places that owners name; nil: free.
  private var table: [Client?] = []
  private var free: [UInt32] = []
  private var index: [ClientID: UInt32] = [:]
  /// A place's next client is another one: answers to the last are not for it.
  private var nextGeneration: UInt32 = 1
  var places = ClientPlaces()
  let outcomes = RequestOutcomes()
  /// Those to whom something has happened in this turn.
  private var dirty: [Client] = []
  /// Requests that a client may have unanswered, and records that these may be answered; beyond, no more are read.
  var window: Int
  let records: Int

  init(window: Int, records: Int) {
    self.window = window
    self.records = records
  }

  var count: Int { index.count }
  /// In the order of their places.
  var all: [Client] { table.compactMap { $0 } }
  subscript(_ id: ClientID) -> Client? { index[id].flatMap { table[Int($0)] } }
  /// Nil: whoever asked is gone.
  @inline(__always)
  func client(of owner: EdgeItem.Owner) -> Client? {
    guard let client = table[Int(owner.client)], client.generation == owner.generation else { return nil }
    return client
  }

  mutating func open(_ id: ClientID, from address: String, at moment: Stamp) {
    let place = free.popLast() ?? UInt32(table.count)
    let generation = nextGeneration
    nextGeneration &+= 1
    let session = Session(id: id.rawValue, address: address, since: moment)
    let client = Client(id: id, index: place, generation: generation, session: session)
    client.isReserved = !places.takeOrdinary()
    if Int(place) < table.count { table[Int(place)] = client } else { table.append(client) }
    index[id] = place
  }

  /// Its place is another client's from now on: once only, though both sides may end a connection in one turn.
  /// - Parameter close: the shell is to close it, once what was output before has been sent.
  mutating func release(_ client: Client, close: Bool, _ out: inout NodeOutput) {
    guard index.removeValue(forKey: client.id) != nil else { return }
    if close { out.clientClose.append(client.id) }
    if !client.isReserved { places.giveBackOrdinary() }
    table[Int(client.index)] = nil
    free.append(client.index)
  }

  // MARK: Reading

  /// More of it would have to wait: it has asked for as much as may be unanswered, or its last request is a barrier.
  func isFull(_ client: Client) -> Bool {
    client.barrier || client.closing || client.outstanding >= window || client.outstandingRecords >= records
  }

  func stopReading(_ client: Client, _ out: inout NodeOutput) {
    guard !client.readingStopped else { return }
    client.readingStopped = true
    out.clientReading.append((client.id, false))
  }

  /// After an answer: what was held back is read on when there is room, or when the barrier is down.
  @inline(__always)
  private func resumeReading(_ client: Client, _ out: inout NodeOutput) {
    guard client.readingStopped, !client.awaitsFlush else { return }
    if client.barrier || client.awaitsIdle {
      guard client.outstanding == 0 else { return }
      client.barrier = false
      client.awaitsIdle = false
    } else if client.outstanding > window / 2 || client.outstandingRecords > records / 2 {
      return
    }
    client.readingStopped = false
    out.clientReading.append((client.id, true))
  }

  /// What held it back is over.
  func resume(_ client: Client, _ out: inout NodeOutput) {
    guard client.readingStopped, !client.awaitsFlush, client.outstanding == 0 else { return }
    client.awaitsIdle = false
    resumeReading(client, &out)
  }

  // MARK: Answers

  @inline(__always)
  mutating func answer(_ owner: EdgeItem.Owner, _ reply: UnsafeRawBufferPointer, _ out: inout NodeOutput) {
    guard let client = client(of: owner) else { return }
    let (resp3, bulk) = (client.session.isRESP3, client.session.wantsBulk)
    outcomes.note(client.slots[owner.slot].verb, RequestOutcomes.outcome(of: reply))
    client.answer(owner.slot) { output in
      do {
        try ReplyRenderer.render(reply, resp3: resp3, bulk: bulk, into: &output)
      } catch {
        ReplyRenderer.error(.unknown, "the answer could not be rendered: \(error)", into: &output)
      }
    }
    afterAnswer(client, &out)
  }
  /// Answers with what `render` appends, as it goes to the client.
  mutating func answer(
    _ owner: EdgeItem.Owner, _ out: inout NodeOutput, rendered render: (inout ByteBuffer) -> Void
  ) {
    guard let client = client(of: owner) else { return }
    client.answer(owner.slot, render)
    afterAnswer(client, &out)
  }
  mutating func answerError(_ owner: EdgeItem.Owner, _ code: ErrorCode, _ text: String, _ out: inout NodeOutput) {
    guard let client = client(of: owner) else { return }
    outcomes.note(client.slots[owner.slot].verb, code.rawValue)
    client.answer(owner.slot) { ReplyRenderer.error(code, text, into: &$0) }
    afterAnswer(client, &out)
  }
  @inline(__always)
  private mutating func afterAnswer(_ client: Client, _ out: inout NodeOutput) {
    if client.barrier && client.outstanding == 0 && !client.readingStopped { client.barrier = false }
    resumeReading(client, &out)
    markDirty(client)
  }

  // MARK: The turn's end

  @inline(__always)
  mutating func markDirty(_ client: Client) {
    guard !client.inDirtyList else { return }
    client.inDirtyList = true
    dirty.append(client)
  }

  /// Hands out what has been answered; who waited for that may ask on, and who is done is closed.
  mutating func flush(into effects: inout Effects<NodeWork>, _ out: inout NodeOutput) {
    for client in dirty {
      client.inDirtyList = false
      if !client.output.isEmpty {
        effects.clientOutput.append((client.id, client.output.array))
        client.output.removeAll()
        client.output.shrink(to: 65_536)
      }
      if client.awaitsFlush {
        client.awaitsFlush = false
        resumeReading(client, &out)
      }
      if client.closing && client.outstanding == 0 { release(client, close: true, &out) }
    }
    dirty.removeAll(keepingCapacity: true)
  }
}
