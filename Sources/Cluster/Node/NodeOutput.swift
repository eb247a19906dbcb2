import Base
import Protocol

/// What a node and its parts want done, gathered until the turn ends: see `Effects`. Parts are given it, and keep nothing of
/// it.
struct NodeOutput {
  var jobs: [Job] = []
  var logLines: [(level: LogLevel, text: String)] = []
  var linkBytes: [(link: LinkID, bytes: [UInt8])] = []
  var openLinks: [(request: UInt64, address: String, bulk: Bool)] = []
  var closeLinks: [LinkID] = []
  var clientClose: [ClientID] = []
  var clientReading: [(client: ClientID, on: Bool)] = []
  var settings: [(key: String, value: String)] = []
  /// Why the process is to end, once there is a reason: the first counts.
  private(set) var exit: (code: Int32, reason: String)?
  /// Peers are to hear, at this turn's end and not only with the next heartbeat, how this node does.
  var isStatusDue = false

  mutating func log(_ level: LogLevel, _ text: String) { logLines.append((level, text)) }
  mutating func end(_ code: Int32, _ reason: String) {
    if exit == nil { exit = (code, reason) }
  }

  /// A frame with one message, on a link that carries nothing else.
  mutating func frame(
    _ kind: PeerMessageKind, _ header: FrameHeader, on link: LinkID, _ body: (inout ByteBuffer) -> Void
  ) {
    var bytes = ByteBuffer(capacity: 1024)
    let mark = header.begin(&bytes)
    let start = bytes.beginMessage(kind)
    body(&bytes)
    bytes.endMessage(start)
    FrameHeader.finish(mark, in: &bytes)
    linkBytes.append((link, bytes.array))
  }

  /// Hands all of it to the shell.
  mutating func move(into effects: inout Effects<NodeWork>) {
    effects.linkOutput.append(contentsOf: linkBytes)
    effects.openLink.append(contentsOf: openLinks)
    effects.linkClose.append(contentsOf: closeLinks)
    effects.clientClose.append(contentsOf: clientClose)
    effects.clientReading.append(contentsOf: clientReading)
    effects.jobs.append(contentsOf: jobs)
    effects.settings.append(contentsOf: settings)
    effects.logLines.append(contentsOf: logLines)
    effects.exit = exit
    linkBytes.removeAll(keepingCapacity: true)
    openLinks.removeAll(keepingCapacity: true)
    closeLinks.removeAll(keepingCapacity: true)
    clientClose.removeAll(keepingCapacity: true)
    clientReading.removeAll(keepingCapacity: true)
    jobs.removeAll(keepingCapacity: true)
    settings.removeAll()
    logLines.removeAll(keepingCapacity: true)
  }
}
