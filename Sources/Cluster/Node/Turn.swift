import Base

/// One turn of a node: the moment of the event under way, and what is to be done by the turn's end. A node has one, which its
/// coordinators share; parts are given the moment and the output with each call.
final class Turn {
  var now: Moment
  var out = NodeOutput()

  init(now: Moment) { self.now = now }
}

/// What takes part in a node's turn, and works with several parts: see the README.
protocol Coordinator: AnyObject {
  var turn: Turn { get }
}
extension Coordinator {
  @inline(__always) var now: Moment { turn.now }
  func log(_ level: LogLevel, _ text: String) { turn.out.log(level, text) }
}
