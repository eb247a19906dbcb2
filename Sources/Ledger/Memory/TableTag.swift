import Base

/// How snapshots name a part of the state, and the forms that its records have had. The number is that part's for ever.
struct TableTag: Sendable {
  /// A form that records had before they grew, and the semantics that ended it: until those begin it is written still.
  struct Form: Sendable {
    let bytes: Int
    let until: UInt8
  }
  let number: UInt16
  /// For errors.
  let name: StaticString
  /// The forms before the present one, the first first.
  let former: [Form]
  /// The semantics that it came with: until they begin it is empty, and in no snapshot.
  let since: UInt8

  /// In the number of a section: it is the index of that table.
  private static let indexBit: UInt16 = 1 << 15

  init(_ number: UInt16, _ name: StaticString, since: UInt8 = Semantics.first, former: [Form] = []) {
    precondition(number > 0, "0 ends a snapshot")
    self.number = number
    self.name = name
    self.former = former
    self.since = since
  }

  /// Of the index of this table, as a section of its own.
  var index: TableTag { TableTag(number | TableTag.indexBit, name, since: since) }
  /// Whether a section is of this table, or of its index.
  func owns(_ section: RestoredSection) -> Bool { section.number & ~TableTag.indexBit == number }
  func isIndex(_ section: RestoredSection) -> Bool { section.number & TableTag.indexBit != 0 }

  /// The version of the records that builds of these semantics know: from 1, one more each time that they grew.
  func version(at semantics: UInt8) -> UInt16 { UInt16(former.prefix { $0.until <= semantics }.count + 1) }
  /// Bytes of a record of a version. `present` is what it has now.
  func size(ofVersion version: UInt16, present: Int) -> Int {
    version <= former.count ? former[Int(version) - 1].bytes : present
  }

  /// Checks that a section's records are of a version that this build knows.
  /// - Parameter size: bytes of a record of the present version.
  func check(_ section: RestoredSection, size: Int) throws(MalformedBytes) {
    let newest = UInt16(former.count + 1)
    guard section.version >= 1, section.version <= newest else {
      throw MalformedBytes(
        "\(name): records of version \(section.version), and this build knows up to \(newest): start a newer build")
    }
    let expected = self.size(ofVersion: section.version, present: size)
    guard section.recordSize == expected else {
      throw MalformedBytes("\(name): a record has \(section.recordSize) bytes, in that version it had \(expected)")
    }
  }
}
