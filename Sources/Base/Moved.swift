/// Which shard owns slots, and since which epoch of its log: of two that are told of a slot the one with the higher epoch is
/// true.
public struct Whereabouts: Hashable, Sendable {
  public var shard: ShardID
  public var epoch: UInt64
  public var slots: SlotRanges

  public init(shard: ShardID, epoch: UInt64, slots: SlotRanges) {
    self.shard = shard
    self.epoch = epoch
    self.slots = slots
  }
}

/// The answer of a shard to what is for a slot that it does not own. Between nodes alone, never for a terminal.
public struct Moved: Hashable, Sendable {
  /// The request was taken before its slot moved, and its answer was being waited for. False: nothing was done.
  public var wasTaken: Bool
  /// To whom the shard gave the slot; nil: it never had it.
  public var whereabouts: Whereabouts?

  public init(to whereabouts: Whereabouts? = nil, wasTaken: Bool = false) {
    self.whereabouts = whereabouts
    self.wasTaken = wasTaken
  }

  func encode(into buffer: inout ByteBuffer) {
    buffer.append(ReplyTag.moved.rawValue)
    buffer.append(UInt8(wasTaken ? 1 : 0))
    buffer.append(UInt8(whereabouts == nil ? 0 : 1))
    guard let whereabouts else { return }
    buffer.append(whereabouts.shard.rawValue)
    buffer.append(whereabouts.epoch)
    whereabouts.slots.encode(into: &buffer)
  }
  public init(decoding bytes: UnsafeRawBufferPointer) throws(MalformedBytes) {
    var reader = ByteReader(bytes)
    guard try reader.read(UInt8.self) == ReplyTag.moved.rawValue else {
      throw MalformedBytes("not the answer that a slot has moved")
    }
    wasTaken = try reader.read(UInt8.self) != 0
    guard try reader.read(UInt8.self) != 0 else { return }
    whereabouts = Whereabouts(
      shard: ShardID(try reader.read()), epoch: try reader.read(), slots: try SlotRanges(decoding: &reader))
  }
}
