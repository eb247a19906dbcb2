import Base
import Protocol
import Vocabulary

/// What an operator must look at, in words of capitals.
enum Alarm {
  /// What `CLUSTER ALARM` asks for.
  enum Command: Equatable {
    case list
    case clearPoison(ShardID)
    /// The damaged replicas of a shard are to count again, by what they have left.
    case acceptLoss(ShardID)
    /// Nothing that there is: what to ask instead.
    case unknown(String)

    init(_ request: Request) {
      let words = (0..<request.positionalCount).map {
        String(decoding: request.positional($0), as: UTF8.self).uppercased()
      }
      self.init(
        words, shard: request.number(.shard).map { ShardID(UInt32($0)) }, acceptsLoss: request.flag(.acceptLoss))
    }
    /// - Parameters:
    ///   - words: in capitals.
    ///   - shard: of `shard=`.
    ///   - acceptsLoss: `accept-loss=yes`.
    init(_ words: [String], shard: ShardID?, acceptsLoss: Bool = false) {
      switch words {
      case ["LIST"]: self = .list
      case ["CLEAR", "POISON"]:
        self = shard.map { .clearPoison($0) } ?? .unknown("say of which shard: CLUSTER ALARM CLEAR POISON shard=S")
      case ["CLEAR", "CORRUPT"]:
        guard let shard, acceptsLoss else {
          self = .unknown(
            "what the shard's damaged replicas had acknowledged may be lost for ever: if that is to be, say CLUSTER ALARM CLEAR CORRUPT"
              + " shard=S accept-loss=yes")
          return
        }
        self = .acceptLoss(shard)
      case _ where words.first == "CLEAR":
        self = .unknown("POISON and CORRUPT can be cleared; other alarms end by themselves")
      default:
        self = .unknown("CLUSTER ALARM takes LIST, CLEAR POISON shard=S, or CLEAR CORRUPT shard=S accept-loss=yes")
      }
    }
  }

  /// So often the operator is told of what goes on, in microseconds.
  static let interval: UInt64 = 10_000_000

  static func list(_ alarms: [String]) -> String { alarms.isEmpty ? "none" : alarms.joined(separator: ",") }

  /// What stands beside the word `POISON`; nil if there is no such alarm.
  static func detail(_ poisons: [PoisonedShard]) -> String? {
    guard !poisons.isEmpty else { return nil }
    // The same entry of several nodes is told once; and no more than a person reads.
    let texts = Set(poisons).sorted { ($0.shard, $0.index) < ($1.shard, $1.index) }.prefix(16).map {
      "POISON shard \($0.shard.rawValue) index \($0.index.rawValue) kind \($0.kind)"
    }
    return texts.joined(separator: ", ")
  }
}

extension Peer {
  /// What is wrong with a node, as far as it has told; sorted.
  var alarms: [String] { everyAlarm.filter(\.isOn).map(\.word) }
  /// All that there are, and whether they are on; sorted.
  var everyAlarm: [(word: String, isOn: Bool)] {
    let disk = condition.disk
    return [
      ("CERTIFICATE", condition.isCertificateEnding), ("CLOCK", clock.isOff), ("CORRUPT", condition.isCorrupt),
      ("INSECURE", condition.isInsecure),
      ("NOFILES", disk.lacksDescriptors),
      ("NOMEM", condition.memory >= .near), ("NOSPACE", disk.isFull), ("POISON", !condition.poisons.isEmpty),
      ("RETENTION", condition.isForgettingEarly), ("SLOWDISK", disk.isSlow),
    ]
  }
  /// Those by which the cluster is not well: not what the operator has chosen, nor what is yet to come.
  var ailments: [String] { alarms.filter { $0 != "INSECURE" && $0 != "CERTIFICATE" } }
}
extension PeerTable {
  /// Of all nodes in reach.
  var alarms: [String] { Set(filter(\.isConnectedOrSelf).flatMap(\.alarms)).sorted() }
}
