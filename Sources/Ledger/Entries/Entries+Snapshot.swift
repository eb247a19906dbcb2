import Base
import Vocabulary

/// The entries as they are at one moment, for the thread that writes them: a copy is cheap.
public struct EntriesImage: Sendable {
  fileprivate let version: UInt32
  fileprivate let tables: [(kind: Int, items: ChunkedQueue<EntryItem>)]

  fileprivate enum Item: UInt8 { case version = 1, entry = 2 }

  /// About how many bytes `write` gives.
  public var byteCount: Int { tables.reduce(64) { $0 + $1.items.count * 160 } }

  /// Writes all of it, block by block. From any thread.
  public func write(to sink: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    var writer = BlockWriter()
    try writer.item(to: sink) {
      $0.append(Item.version.rawValue)
      $0.append(version)
    }
    for (kind, items) in tables {
      for item in items {
        try writer.item(to: sink) {
          $0.append(Item.entry.rawValue)
          $0.append(varint: UInt64(kind))
          item.encode(into: &$0)
        }
      }
    }
    try writer.finish(to: sink)
  }
}

extension Entries {
  public var image: EntriesImage {
    EntriesImage(version: version, tables: tables.map { ($0.kind.number, $0.items) })
  }

  /// The entries of which an image was written. Throws if the bytes are something else, or if a newer build wrote them, and
  /// what the source throws.
  public init(restoring source: inout some SnapshotSource, kinds: [EntryKind] = EntryKind.all) throws {
    self.init(kinds: kinds)
    try BlockReader.read(from: &source) { reader in
      switch EntriesImage.Item(rawValue: try reader.read()) {
      case .version: version = try reader.read()
      case .entry:
        let kind = try reader.readVarint()
        guard let table = tables.firstIndex(where: { UInt64($0.kind.number) == kind }) else {
          throw MalformedBytes("entries of kind \(kind), which this build does not know: a newer build wrote them")
        }
        guard count < EntryKind.mostEntries else { throw MalformedBytes("more entries than there may be") }
        tables[table].items.append(try EntryItem(decoding: &reader))
      case nil: throw MalformedBytes("an item of the entries that is not known")
      }
    }
    for i in tables.indices {
      let items = tables[i].items
      tables[i].order = EntryOrder(count: items.count) { items[$0] }
    }
    for i in tables.indices { try check(i) }
  }

  /// What is read must be what was written: values of fields that this build knows, references to entries that there are.
  private mutating func check(_ table: Int) throws(MalformedBytes) {
    let kind = tables[table].kind
    for item in tables[table].items {
      for change in item.changes {
        for (number, bytes) in change.values.fields where number != EntryRequest.Number.attributes {
          guard let field = kind.field(number: number) else {
            throw MalformedBytes("field \(number) of \(kind.name) is not known to this build: a newer build wrote it")
          }
          guard case .reference(let word, _) = field.form, let other = self.table(word: word) else { continue }
          let references = bytes.withUnsafeBytes { Entries.references($0) }
          guard references.allSatisfy(tables[other].items.indices.contains) else {
            throw MalformedBytes("\(field.name) of a \(kind.name) names an entry that is not there")
          }
          if field.traits.contains(.tree), let above = references.first { tables[table].parents.insert(above) }
        }
      }
    }
  }
}
