import Checker

/// What terminals saw, in the form that docs/testing.md lays down.
extension Life {
  public var history: String {
    var lines = ["tallystick-history 1"]
    for operation in operations.sorted(by: { $0.begin < $1.begin }) { lines.append(Life.line(operation)) }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func line(_ o: Operation) -> String {
    let isKnown = o.result != .unknown
    var words = ["\(o.begin)", isKnown ? "\(o.end)" : "-", o.client, "\(o.kind)", o.member]
    if o.kind != .balance { words.append("points=\(o.points)") }
    if !o.id.isEmpty { words.append("id=\(o.id)") }
    if !o.hold.isEmpty { words.append("hold=\(o.hold)") }
    if !o.to.isEmpty { words.append("to=\(o.to)") }
    if isKnown { words.append("result=\(o.result)") }
    for (name, value) in [("balance", o.balance), ("held", o.held), ("available", o.available)] {
      if let value { words.append("\(name)=\(value)") }
    }
    if let local = o.local { words.append("local=\(local)") }
    return words.joined(separator: " ")
  }

  /// One line on what happened.
  public var summary: String {
    let counts = [Operation.Result.ok, .refused, .none, .unknown].map { result in
      "\(result)=\(operations.count { $0.result == result })"
    }
    return "operations=\(operations.count) \(counts.joined(separator: " ")) applied=\(observer.appliedCount)"
      + " leaderships=\(observer.leaderships)"
  }
}
