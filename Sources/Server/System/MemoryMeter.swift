import Cluster
import Glibc
import System

/// What the system says of this process's memory, and how much it may have.
///
/// What counts is what only this process has (its anonymous pages) against the machine's memory, the control group's, or
/// what the operator says; and its address space, or that part of it which is data, against limits on the process, beyond
/// which an allocation fails and the process dies.
struct MemoryMeter: ~Copyable {
  /// Of the file that tells; negative: there is none.
  private let statm: Int32
  private let pageBytes: UInt64
  /// For the anonymous pages.
  private var residentLimit: UInt64

  /// - Parameter limit: in bytes; nil: three quarters of what the machine and the control group have.
  init(limit: UInt64?) {
    statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    pageBytes = UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
    residentLimit = 0
    set(limit: limit)
  }
  /// Another limit from now on, as to `init`.
  mutating func set(limit: UInt64?) {
    residentLimit = limit ?? MemoryMeter.share(of: MemoryMeter.available(pageBytes))
  }

  deinit { if statm >= 0 { close(statm) } }

  static func share(of bytes: UInt64) -> UInt64 { bytes / 4 * 3 }

  /// The bound that is nearest; nil where the system does not tell. Costs some microseconds. Limits on the process may
  /// change while it runs.
  borrowing func measure() -> MemoryUsage? {
    guard let pages = readPages() else { return nil }
    let bounds = [
      MemoryUsage(used: (pages.resident - min(pages.shared, pages.resident)) * pageBytes, limit: residentLimit),
      MemoryUsage(used: pages.data * pageBytes, limit: MemoryMeter.share(of: MemoryMeter.limit(RLIMIT_DATA))),
      MemoryUsage(used: pages.size * pageBytes, limit: MemoryMeter.share(of: MemoryMeter.limit(RLIMIT_AS))),
    ]
    return MemoryMeter.nearest(bounds)
  }

  static func nearest(_ bounds: [MemoryUsage]) -> MemoryUsage? {
    bounds.max { Double($0.used) / Double(max(1, $0.limit)) < Double($1.used) / Double(max(1, $1.limit)) }
  }

  /// `size resident shared text lib data dt`, in pages: see proc(5).
  private borrowing func readPages() -> (size: UInt64, resident: UInt64, shared: UInt64, data: UInt64)? {
    guard statm >= 0 else { return nil }
    var text = [UInt8](repeating: 0, count: 160)
    let count = pread(statm, &text, text.count, 0)
    guard count > 0 else { return nil }
    return MemoryMeter.pages(of: text[..<count])
  }
  static func pages(of text: ArraySlice<UInt8>) -> (size: UInt64, resident: UInt64, shared: UInt64, data: UInt64)? {
    var fields: [UInt64] = []
    for field in text.split(whereSeparator: { $0 <= 32 }) {
      var value: UInt64 = 0
      for digit in field {
        guard (48...57).contains(digit) else { return nil }
        value = value &* 10 &+ UInt64(digit - 48)
      }
      fields.append(value)
    }
    return fields.count >= 6 ? (fields[0], fields[1], fields[2], fields[5]) : nil
  }

  private static func limit(_ resource: __rlimit_resource) -> UInt64 {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0 else { return .max }
    return UInt64(limit.rlim_cur)
  }

  // MARK: What the machine has

  /// The least of the machine's memory and what control groups, version 1 or 2, leave of it.
  private static func available(_ pageBytes: UInt64) -> UInt64 {
    let machine = UInt64(max(1, sysconf(Int32(_SC_PHYS_PAGES)))) * pageBytes
    let groups = text(of: "/proc/self/cgroup").map { files(ofGroups: $0) } ?? []
    return groups.compactMap { text(of: $0).flatMap { bytes(of: $0) } }.reduce(machine, min)
  }

  /// Where the limits of the process's control groups stand, and of those that hold these.
  static func files(ofGroups text: String) -> [String] {
    var files: [String] = []
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isSecond = parts[1].isEmpty
      guard isSecond || parts[1].split(separator: ",").contains("memory") else { continue }
      let root = isSecond ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory"
      let name = isSecond ? "memory.max" : "memory.limit_in_bytes"
      var path = ""
      files.append("\(root)/\(name)")
      for part in parts[2].split(separator: "/") {
        path += "/\(part)"
        files.append("\(root)\(path)/\(name)")
      }
    }
    return files
  }
  /// A limit as a control group has it: bytes, or "max".
  static func bytes(of text: String) -> UInt64? { UInt64(text.filter { $0.isASCII && $0.isNumber }) }

  private static func text(of path: String) -> String? {
    let raw = open(path, O_RDONLY | O_CLOEXEC)
    guard raw >= 0 else { return nil }
    let file = Descriptor(owning: raw)
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(file.rawValue, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }
}
