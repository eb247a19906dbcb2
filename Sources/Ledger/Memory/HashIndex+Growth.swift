import Base

extension HashIndex {
  /// Splits a page by the next bit of its tags; false if the directory may not grow for it. Moves at most
  /// `fullCount` cells.
  mutating func split(_ page: Int) -> Bool {
    let info = infos[page]
    if info.next != 0 || info.isLink { return false }
    if info.depth == depth && !deepen() { return false }
    let left = table.blankPage()
    let right = table.blankPage()
    let old = cells(page)
    var rightCount: UInt32 = 0
    for at in 0..<Self.cellsPerPage where old[at] != 0 {
      let isRight = UInt32(truncatingIfNeeded: old[at] &>> 32) &>> (31 &- info.depth) & 1
      rightCount &+= isRight
      Self.place(old[at], in: (isRight == 0 ? left : right).assumingMemoryBound(to: UInt64.self))
    }
    movedCells += UInt64(info.count)
    table.replace(page, with: left)
    let newPage = append(
      right, PageInfo(prefix: info.prefix << 1 | 1, depth: info.depth + 1, count: rightCount, next: 0))
    infos[page] = PageInfo(prefix: info.prefix << 1, depth: info.depth + 1, count: info.count - rightCount, next: 0)
    enter(newPage)
    return true
  }

  /// Doubles the directory; false if it is as large as its pages justify. With hashes that are spread at all evenly it has
  /// one to four entries a page; only keys chosen to collide can ask for more.
  private mutating func deepen() -> Bool {
    let size = 1 << Int(depth)
    guard depth < Self.maximumDepth, size * 2 <= 64 + 16 * table.count else { return false }
    let bigger = UnsafeMutablePointer<UInt32>.allocate(capacity: size * 2)
    for i in 0..<size {
      bigger[2 &* i] = directory[i]
      bigger[2 &* i &+ 1] = directory[i]
    }
    directory.deallocate()
    directory = bigger
    depth += 1
    return true
  }

  /// Enters a page for all tags with its prefix.
  private mutating func enter(_ page: Int) {
    let spare = depth - infos[page].depth
    let first = Int(infos[page].prefix) << Int(spare)
    for i in first..<first + 1 << Int(spare) { directory[i] = UInt32(page) }
  }

  /// Links a new page behind a full one that cannot be split.
  mutating func chain(_ page: Int) {
    let link = append(table.blankPage(), PageInfo(prefix: PageInfo.link, depth: 0, count: 0, next: 0))
    infos[page].next = UInt32(link)
    hasChains = true
  }

  private mutating func append(_ page: UnsafeMutableRawPointer, _ info: PageInfo) -> Int {
    if table.count == infoRoom {
      let bigger = UnsafeMutablePointer<PageInfo>.allocate(capacity: infoRoom * 2)
      bigger.update(from: infos, count: infoRoom)
      infos.deallocate()
      infos = bigger
      infoRoom *= 2
    }
    table.append(page)
    infos[table.count - 1] = info
    return table.count - 1
  }

  /// Adds the index as it is to a snapshot. Cost: 16 bytes copied a page, beside the page table.
  mutating func freeze(_ tag: TableTag, into snapshot: inout SnapshotBuilder) {
    var meta = ByteBuffer(capacity: 64)
    meta.append(UInt64(count))
    meta.append(depth)
    // The infos as they lie in memory: four little-endian 32-bit numbers a page.
    let all = UnsafeRawBufferPointer(start: infos, count: MemoryLayout<PageInfo>.stride * table.count)
    table.freeze(
      snapshot.header(tag, .index, recordSize: Self.recordSize), meta.bytes, more: all, tail: pageByteCount,
      into: &snapshot)
  }

  static var recordSize: Int { 8 }
  mutating func restore<Source: SnapshotSource>(
    _ section: RestoredSection, from reader: inout SnapshotReader<Source>
  ) throws {
    try section.expect(.index)
    guard section.pages > 0, section.pages < 1 << 28, section.tail == pageByteCount,
      section.meta.count == 12 + 16 * Int(section.pages)
    else { throw MalformedBytes("an index without its pages") }
    try reader.readPages(of: section, into: &table)
    try section.meta.withUnsafeBytes { meta in
      var bytes = ByteReader(meta)
      try restore(&bytes)
    }
  }

  /// Reads what `freeze` wrote beside the pages, and enters them in the directory.
  private mutating func restore(_ bytes: inout ByteReader) throws {
    let total = try bytes.read(UInt64.self)
    let newDepth = try bytes.read(UInt32.self)
    guard newDepth <= Self.maximumDepth, 1 << Int(newDepth) <= 64 + 16 * table.count else {
      throw MalformedBytes("an index's directory is too large")
    }
    infoRoom = table.count
    infos.deallocate()
    infos = .allocate(capacity: infoRoom)
    directory.deallocate()
    directory = .allocate(capacity: 1 << Int(newDepth))
    directory.initialize(repeating: .max, count: 1 << Int(newDepth))
    depth = newDepth
    hasChains = false
    var sum: UInt64 = 0
    for page in 0..<table.count {
      let info = PageInfo(
        prefix: try bytes.read(), depth: try bytes.read(), count: try bytes.read(), next: try bytes.read())
      infos[page] = info
      guard info.count <= Self.fullCount, info.depth <= depth,
        info.next == 0 || (Int(info.next) > page && Int(info.next) < table.count),
        info.isLink || info.prefix >> info.depth == 0
      else { throw MalformedBytes("an index page that cannot be") }
      sum += UInt64(info.count)
      hasChains = hasChains || info.isLink
      if !info.isLink { enter(page) }
    }
    guard sum == total, total <= UInt64(UInt32.max), !(0..<1 << Int(depth)).contains(where: { directory[$0] == .max })
    else { throw MalformedBytes("an index with parts missing") }
    count = Int(total)
  }

  /// Whether the pages hold as many values as they are said to. O(values).
  func finishRestoring() throws {
    for page in 0..<table.count where occupied(page) != infos[page].count {
      throw MalformedBytes("an index page that cannot be")
    }
  }
  var isToGrow: Bool { false }
  private func occupied(_ page: Int) -> UInt32 {
    let cells = cells(page)
    var n: UInt32 = 0
    for at in 0..<Self.cellsPerPage where cells[at] != 0 { n &+= 1 }
    return n
  }
}
