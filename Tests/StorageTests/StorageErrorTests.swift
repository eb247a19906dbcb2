import Testing

@testable import Storage

@Test func damageNamesFileAndOffset() {
  let error = StorageError(.damaged, path: "d/wal/1.wal", operation: "open", offset: 8192, reason: "no")
  #expect(error.description == "d/wal/1.wal at byte 8192 is damaged: no")
  #expect(!error.isFatal && error.asFatal().isFatal)
}
