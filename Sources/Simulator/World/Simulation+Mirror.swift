/// A failed expectation shows its values to the last field: of a whole cluster that is gigabytes of text.
extension Simulation: CustomReflectable, CustomStringConvertible {
  public var description: String { "a simulation at \(now) µs" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
extension SimulatedClient: CustomReflectable {
  public var customMirror: Mirror { Mirror(self, children: ["received": lines]) }
}
