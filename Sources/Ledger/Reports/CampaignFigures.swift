import Base
import Vocabulary

/// What campaigns gave, of one shard or of all.
public struct CampaignFigures: Hashable, Sendable {
  public var members: Int64 = 0
  public var transactions: Int64 = 0
  public var points: Int128 = 0
  public var spend: Int128 = 0
  /// Drawn of its budget, and that one's limit; nil: it has none.
  public var drawn: Int64 = 0
  public var limit: Int64?

  public func write(into reply: inout ReplyWriter) {
    reply.field(.members, members)
    reply.field(.transactions, transactions)
    reply.field(.points, Int64(clamping: points))
    reply.field(.spend, Int64(clamping: spend))
    if let limit { reply.field(.left, max(0, limit - drawn)) }
  }

  fileprivate func encode(_ id: [UInt8], into buffer: inout ByteBuffer) {
    buffer.append(counted: id)
    for figure in [members, transactions, Int64(clamping: points), Int64(clamping: spend), drawn, limit ?? -1] {
      buffer.append(figure)
    }
  }
  /// Adds those of a shard, by id. False: they cannot be read.
  public static func add(_ bytes: UnsafeRawBufferPointer, to sums: inout [[UInt8]: CampaignFigures]) -> Bool {
    var reader = ByteReader(bytes)
    do throws(MalformedBytes) {
      while !reader.isAtEnd {
        let id = Array(try reader.readCounted())
        var sum = sums[id] ?? CampaignFigures()
        sum.members += try reader.read(Int64.self)
        sum.transactions += try reader.read(Int64.self)
        sum.points += Int128(try reader.read(Int64.self))
        sum.spend += Int128(try reader.read(Int64.self))
        sum.drawn += try reader.read(Int64.self)
        let limit = try reader.read(Int64.self)
        sum.limit = limit < 0 ? nil : limit
        sums[id] = sum
      }
      return true
    } catch {
      return false
    }
  }
}

extension Ledger {
  /// Of all campaigns of a tenant, a text in `detail`. O(campaigns).
  func writeCampaigns(of tenant: TenantID, _ reply: inout ReplyWriter) {
    var buffer = ByteBuffer(capacity: 1_024)
    for (number, campaign) in catalogue.records[.campaign].enumerated() where campaign.tenant == tenant {
      let own = campaignFigures(UInt32(clamping: number))
      var figures = CampaignFigures()
      (figures.members, figures.transactions) = (own.members, own.transactions)
      (figures.points, figures.spend) = (own.points, own.spend)
      if let (drawn, limit) = budget(ofCampaign: number) { (figures.drawn, figures.limit) = (drawn, limit) }
      figures.encode(campaign.name, into: &buffer)
    }
    reply.field(.detail, buffer.bytes)
  }
}
