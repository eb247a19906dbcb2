import Base
import NodeDisk
import Storage

/// `tally inspect log|snapshot|journal DIR [--shard S]`; gives the exit code: 0 all is sound, 1 wrong arguments, 2 a node runs on
/// the directory, or it is none, 4 something cannot be read.
public func inspect(_ what: String, arguments: [String]) -> Int32 {
  var (words, shard) = ([String](), ShardID?.none)
  var rest = arguments[...]
  while let word = rest.popFirst() {
    guard word == "--shard" else {
      words.append(word)
      continue
    }
    guard let number = rest.popFirst().flatMap({ UInt32($0) }) else {
      Startup.print("--shard takes a shard's number\n", to: 2)
      return 1
    }
    shard = ShardID(number)
  }
  guard words.count == 1, !words[0].hasPrefix("-") else {
    Startup.print("tally inspect \(what) DIR [--shard S]: DIR is a node's data directory\n", to: 2)
    return 1
  }
  do throws(StorageError) {
    var inspection = try Inspection(directory: words[0], fileSystem: SystemFileSystem(), shard: shard) {
      Startup.print($0 + "\n", to: 1)
    }
    switch what {
    case "log": inspection.log()
    case "snapshot": try inspection.snapshots()
    default: try inspection.journals()
    }
    return inspection.faults == 0 ? 0 : 4
  } catch {
    Startup.print(error.kind == .locked ? "\(words[0]): a node runs on it; stop it first\n" : "\(error)\n", to: 2)
    return 2
  }
}
