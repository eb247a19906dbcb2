/// Whether a build answers what an older one answered: the same lines, of which a record may have fields more.
public func answersAgree(_ now: String, with then: String) -> Bool {
  let (new, old) = (now.split(separator: "\n"), then.split(separator: "\n"))
  guard new.count == old.count else { return false }
  return zip(new, old).allSatisfy { new, old in
    guard new != old else { return true }
    guard old.contains("=") else { return false }
    var rest = new.split(separator: " ")[...]
    // The fields of old, in their order.
    return old.split(separator: " ").allSatisfy { field in
      guard let place = rest.firstIndex(of: field) else { return false }
      rest = rest[(place + 1)...]
      return true
    }
  }
}
