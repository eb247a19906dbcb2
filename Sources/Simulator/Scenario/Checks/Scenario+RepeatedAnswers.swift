import Base
import Checker
import Cluster

/// What was answered once is answered again: that is what an idempotent request promises.
extension Scenario {
  /// Asks many things at once, each answered by one line.
  func askAll(_ number: Int, _ lines: [String]) -> [String] {
    var answers: [String] = []
    guard let client = simulation.connect(to: number) else { return [] }
    var rest = lines[...]
    while !rest.isEmpty {
      let part = rest.prefix(50)
      rest = rest.dropFirst(50)
      client.clear()
      simulation.send(part.joined(separator: "\n") + "\n", on: client)
      // Each may be a barrier that crosses the longest link twice.
      guard simulation.run(for: 60_000_000, until: { client.lineCount >= part.count }) else {
        fail("\(simulation.hosts[number].name) answers \(client.lineCount) of \(part.count) requests in quiescence")
        return []
      }
      answers += client.lines
    }
    simulation.disconnect(client)
    return answers
  }

  /// Every answer that was given is given again, by one node that knows them all and by one of the others each.
  func repeatAnsweredRequests() {
    let one = up[Int(random.below(UInt64(up.count)))]
    for (place, number) in up.enumerated() where failure == nil {
      let share =
        number == one
        ? record.answers : record.answers.enumerated().filter { $0.offset % up.count == place }.map(\.element)
      repeatAnsweredRequests(share, at: number)
    }
  }
  /// Some answers come late. A node that finds only now what rotted hands over first, a repaired node too: no history tells
  /// of what was refused, so that it may not have been read since. A log that is too long is made shorter first. And a node
  /// that takes a shard over in quiescence, with more to apply than its patience, says so, in doubt to a client whose
  /// request the last leader took.
  func repeatAnsweredRequests(_ answers: [ClientRecord.Answer], at number: Int) {
    var found = askAll(number, answers.map(\.request))
    for _ in 0..<3 where failure == nil {
      let unanswered = found.indices.filter { place in
        !damage.all.isEmpty && found[place].hasPrefix("-UNAVAILABLE")
          || plan.sizes.isLogLimited && found[place].hasPrefix("-BUSY the log")
          || plan.sizes.isImpatient && Scenario.isOfTakeover(found[place])
      }
      if unanswered.isEmpty { break }
      simulation.run(for: 2_000_000)
      for (place, answer) in zip(unanswered, askAll(number, unanswered.map { answers[$0].request })) {
        found[place] = answer
      }
    }
    guard failure == nil else { return }
    for (known, now) in zip(answers, found) where known.answer != now {
      return reportViolation(
        "\(known.request) was answered \(known.answer), and \(simulation.hosts[number].name) now says \(now)")
    }
  }

  private static func isOfTakeover(_ answer: String) -> Bool {
    answer.hasPrefix("-UNKNOWN a leader was lost")
      || answer.hasPrefix("-UNAVAILABLE") && answer.contains("applies what its log has first")
  }

  /// Asks a node that may be unable to answer: what it does say of the past is what was said.
  func probeDamagedHost(_ number: Int) {
    guard let client = simulation.connect(to: number) else { return }
    defer { simulation.disconnect(client) }
    for known in record.answers.suffix(ScenarioPlan.probes) {
      let answer = ask(client, known.request, for: 8_000_000)
      guard client.lineCount > 0 else { return tell(number, "does not answer \(known.request)") }
      if ["-UNAVAILABLE", "-BUSY", "-UNKNOWN"].contains(where: { answer.hasPrefix($0) }) {
        tell(number, "does not answer \(known.request): \(answer)")
        continue
      }
      guard answer == known.answer else {
        let name = simulation.hosts[number].name
        return reportViolation(
          "\(known.request) was answered \(known.answer), and \(name), which was damaged, now says \(answer)")
      }
    }
    for member in (0..<plan.members).map({ plan.member(UInt64($0)) }) {
      let asked = simulation.now
      let answer = ask(client, "BALANCE \(member)", for: 8_000_000)
      if answer.hasPrefix("+") {
        noteRead(Operation(.balance, member: member, client: "probe \(number)", begin: asked), answer)
      } else if !answer.hasPrefix("-UNAVAILABLE"), !answer.hasPrefix("-BUSY"), client.lineCount > 0 {
        return reportViolation("BALANCE \(member) at \(simulation.hosts[number].name), which was damaged: \(answer)")
      }
    }
  }
}
