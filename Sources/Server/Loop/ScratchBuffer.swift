/// Memory of a fixed size with one owner.
struct ScratchBuffer: ~Copyable {
  let bytes: UnsafeMutableRawBufferPointer
  init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 64) }
  deinit { bytes.deallocate() }
}
