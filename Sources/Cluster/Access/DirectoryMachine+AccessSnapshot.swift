import Base
import Ledger

extension DirectoryImage {
  /// Who may do what, and the trail. A cluster that never had a user, a tenant or a change writes nothing.
  func writeAccess(_ writer: inout BlockWriter, to sink: (UnsafeRawBufferPointer) throws -> Void) throws {
    guard access.version > 0 || trail.newest > 0 else { return }
    try writer.item(to: sink) { buffer in
      buffer.append(Item.access.rawValue)
      buffer.append(field: 1, zigzag: Int64(bitPattern: access.version))
      buffer.append(field: 2, zigzag: Int64(access.nextNumber))
      buffer.append(field: 3, zigzag: Int64(bitPattern: trail.newest))
      buffer.append(field: 4) { list in
        for (node, mark) in trail.marks.sorted(by: { $0.key < $1.key }) {
          list.append(node)
          list.append(mark.incarnation)
          list.append(mark.note)
        }
      }
      buffer.append(field: 5) { list in
        for (user, stamp) in seen.sorted(by: { $0.key < $1.key }) {
          list.append(varint: UInt64(user))
          list.append(zigzag: stamp.microseconds)
        }
      }
      buffer.appendEndOfFields()
    }
    for user in access.allUsers {
      try writer.item(to: sink) { buffer in
        buffer.append(Item.user.rawValue)
        user.encode(into: &buffer)
      }
    }
    for tenant in access.tenants {
      try writer.item(to: sink) { buffer in
        buffer.append(Item.tenant.rawValue)
        tenant.encode(into: &buffer)
      }
    }
    for records in [trail.changes, trail.refusals] {
      for record in records {
        try writer.item(to: sink) { buffer in
          buffer.append(Item.trail.rawValue)
          record.encode(into: &buffer)
        }
      }
    }
  }
}

extension DirectoryMachine {
  func restoreAccess(_ reader: inout ByteReader) throws(MalformedBytes) {
    var (version, next): (UInt64, UInt32) = (0, 1)
    try reader.readFields(of: "who may do what") { number, value throws(MalformedBytes) in
      switch number {
      case 1: version = UInt64(bitPattern: try value.readZigzag())
      case 2: next = try value.readSmall()
      case 3: trail.restore(newest: UInt64(bitPattern: try value.readZigzag()))
      case 4:
        while !value.isAtEnd {
          let node: UInt64 = try value.read()
          trail.restore(TrailMark(incarnation: try value.read(), note: try value.read()), of: node)
        }
      case 5:
        while !value.isAtEnd {
          let user = UInt32(truncatingIfNeeded: try value.readVarint())
          seen[user] = Stamp(microseconds: try value.readZigzag())
        }
      default: return false
      }
      return true
    }
    access.restore(version: version, nextUser: next)
  }
}
