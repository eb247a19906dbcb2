/// The pages of one container: their addresses and stamps, and the copy at the first write after a snapshot began.
struct PageTable: ~Copyable {
  init(_ pool: UnsafeMutablePointer<PoolState>)
}
