/// What is known of one figure of a node beside its value. INFO, `/metrics` and the tables in docs/operations.md and docs/http.md
/// are made of these.
///
/// A figure is declared where it is counted or found, in one line:
///  - what is counted, or measured by the shell: a property with `@Measured`;
///  - what is looked up when somebody asks: a row of a list of `Gauge`;
///  - what has several values, told apart by labels, or is spread over a range: a row of `Figures.families`, for `/metrics` alone.
public struct Metric: Sendable {
  /// Its place in INFO, in this order.
  public enum Section: String, CaseIterable, Sendable { case clients, requests, cluster, snapshots, disk, memory, loop }
  public enum Kind: String, Sendable {
    /// Only grows, from 0 at the start of the process.
    case counter
    /// Rises and falls.
    case gauge
    /// Words: for INFO alone.
    case fact
    /// How many there were up to each bound, with their sum.
    case histogram
  }
  public enum Unit: String, Sendable {
    case none = "", bytes, microseconds, milliseconds, permille, seconds
  }
  public let name: StaticString
  public let section: Section
  public let kind: Kind
  public let unit: Unit
  /// One line for an operator.
  public let help: StaticString
  /// The names of its labels, divided by commas; empty: it has one value.
  var labels: StaticString = ""
}

/// A figure that is kept as a number.
@propertyWrapper public struct Measured<Value: BinaryInteger & Sendable>: Sendable {
  public var wrappedValue: Value
  let metric: Metric

  public init(
    wrappedValue: Value, _ name: StaticString, _ section: Metric.Section, _ help: StaticString,
    _ kind: Metric.Kind = .counter, _ unit: Metric.Unit = .none
  ) {
    self.wrappedValue = wrappedValue
    metric = Metric(name: name, section: section, kind: kind, unit: unit, help: help)
  }
}

/// What a node keeps, whatever the type of its number.
private protocol AnyMeasured {
  var metric: Metric { get }
  var text: String { get }
}
extension Measured: AnyMeasured {
  fileprivate var text: String { "\(wrappedValue)" }
}

/// A figure that is looked up. `unknown` and `none` are words for what there is not.
struct Gauge: Sendable {
  let metric: Metric
  let read: @Sendable (Node) -> String

  init(
    _ name: StaticString, _ section: Metric.Section, _ help: StaticString, _ kind: Metric.Kind = .gauge,
    _ unit: Metric.Unit = .none, read: @escaping @Sendable (Node) -> String
  ) {
    metric = Metric(name: name, section: section, kind: kind, unit: unit, help: help)
    self.read = read
  }
}

extension Metric {
  /// Those that are kept as properties with `@Measured`, and their values.
  static func kept(in owners: [Any]) -> [(metric: Metric, value: String)] {
    owners.flatMap { Mirror(reflecting: $0).children }.compactMap { $0.value as? any AnyMeasured }
      .map { ($0.metric, $0.text) }
  }
}
