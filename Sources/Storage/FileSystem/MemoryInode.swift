/// The bytes of a file, and how to undo what was not synced: only sectors that were written are remembered. Guarded by
/// the file system's gate.
final class MemoryInode: @unchecked Sendable {
  static let sectorBytes = 4096
  /// What a sector held when it was last durable, and whether a failed sync has already dropped what came after.
  struct Undo {
    var bytes: [UInt8]
    var isLost: Bool
  }
  var data: [UInt8] = []
  /// Whether its bytes count as used.
  var isNamed = false
  private var durableSize = 0
  private var undo: [Int: Undo] = [:]
  private var hasLost = false
  private var lostSize = false

  var rememberedSectors: Int { undo.count }

  func becomeDurable() {
    durableSize = data.count
    undo.removeAll(keepingCapacity: true)
    hasLost = false
    lostSize = false
  }

  func sync() {
    if hasLost { undo = undo.filter { $0.value.isLost } } else { undo.removeAll(keepingCapacity: true) }
    if !lostSize { durableSize = data.count }
  }

  func loseUnsynced() {
    for sector in undo.keys { undo[sector]?.isLost = true }
    hasLost = !undo.isEmpty
    lostSize = durableSize != data.count
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    guard let source = bytes.baseAddress, !bytes.isEmpty else { return }
    let end = offset + bytes.count
    remember(offset..<end)
    grow(to: end)
    data.withUnsafeMutableBytes {
      $0.baseAddress.map { ($0 + offset).copyMemory(from: source, byteCount: bytes.count) }
    }
  }

  func truncate(to size: Int) {
    if size < data.count {
      remember(size..<data.count)
      data.removeLast(data.count - size)
      lostSize = false
    } else {
      grow(to: size)
    }
  }

  /// Adds zeros.
  func grow(to size: Int) {
    guard size > data.count else { return }
    if size > data.capacity {
      // Half as much again, so that a file that grows by small appends is not copied for each.
      data.reserveCapacity(max(size, data.count + data.count / 2))
    }
    data.append(contentsOf: [UInt8](repeating: 0, count: size - data.count))
    lostSize = false
  }

  /// Changes bytes on the disk itself, behind the back of syncs and crashes.
  func damage(_ range: Range<Int>, _ change: (Int, UInt8) -> UInt8) {
    for i in range.clamped(to: 0..<data.count) {
      data[i] = change(i - range.lowerBound, data[i])
      let sector = i / MemoryInode.sectorBytes
      let at = i % MemoryInode.sectorBytes
      if let old = undo[sector], at < old.bytes.count {
        undo[sector]?.bytes[at] = change(i - range.lowerBound, old.bytes[at])
      }
    }
  }

  private func remember(_ range: Range<Int>) {
    let sectorBytes = MemoryInode.sectorBytes
    for sector in range.lowerBound / sectorBytes...(range.upperBound - 1) / sectorBytes {
      if !undo.isEmpty && undo[sector] != nil {
        if hasLost { undo[sector]?.isLost = false }
        continue
      }
      let start = min(sector * sectorBytes, data.count)
      let end = min(start + sectorBytes, data.count)
      undo[sector] = Undo(bytes: start == end ? [] : Array(data[start..<end]), isLost: false)
    }
  }

  /// Keeps the new size or the durable one, and of each unsynced sector the old bytes, the new ones, or at each 512
  /// bytes either.
  func crash(_ choice: inout MemoryFileSystem.Choice) {
    let size = lostSize || !choice.flip() ? durableSize : data.count
    let shrunk = size > data.count
    if shrunk { data.append(contentsOf: [UInt8](repeating: 0, count: size - data.count)) }
    for sector in undo.keys.sorted() {
      guard let old = undo[sector] else { continue }
      let kept = old.isLost || shrunk ? 0 : choice.below(4)
      if kept == 3 { continue }
      let start = sector * MemoryInode.sectorBytes
      for offset in stride(from: 0, to: MemoryInode.sectorBytes, by: 512) {
        if kept > 0 && choice.flip() { continue }
        restore(old.bytes, at: start, offset)
      }
    }
    if data.count > size { data.removeLast(data.count - size) }
    becomeDurable()
  }

  /// Puts back 512 bytes of a sector; zeros where it had none.
  private func restore(_ old: [UInt8], at start: Int, _ offset: Int) {
    let count = min(512, data.count - start - offset)
    guard count > 0 else { return }
    let known = max(0, min(count, old.count - offset))
    data.withUnsafeMutableBytes { bytes in
      let target = UnsafeMutableRawBufferPointer(rebasing: bytes[start + offset..<start + offset + count])
      old.withUnsafeBytes {
        target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.dropFirst(offset).prefix(known)))
      }
      target.dropFirst(known).initializeMemory(as: UInt8.self, repeating: 0)
    }
  }
}

extension MemoryFileSystem {
  /// How many sectors of a file are kept as they were when last synced.
  func rememberedSectors(_ path: String) -> Int { gate.withLock { _ in names[path]?.rememberedSectors ?? 0 } }
}
