import Base
import Testing

@testable import Ledger

/// What says something about a person can be taken back, and the journal cannot: so it is not in there.
@Suite struct PersonalDataTests {
  private func holds(_ text: String, _ bytes: [UInt8]) -> Bool {
    let sought = Array(text.utf8)
    return bytes.indices.contains {
      $0 + sought.count <= bytes.count && bytes[$0..<$0 + sought.count].elementsEqual(sought)
    }
  }

  @Test(arguments: [1, 3]) func theJournalHasNoneOfIt(shards: Int) throws {
    let world = try World.withCafe(members: ["ann", "ben"], shards: shards)
    let lines = """
      MEMBER ADD cyd name=Secret-name region=Secret-region id=a
      MEMBER ADD cyd name=Secret-name region=Secret-region id=a
      MEMBER ADD cyd name=Secret-other region=Secret-region id=b
      MEMBER ADD dan name=Secret-name card=Secret-card id=c
      CARD ADD Secret-second member=ann id=d
      CARD ADD Secret-second member=ben id=e
      CARD ADD Secret-third member=nobody id=f
      MEMBER NOTE cyd kind=Secret-kind text=Secret-note id=g
      MEMBER NOTE card:Secret-card kind=Secret-kind text=Secret-note id=h
      EARN card:Secret-card merchant=cafe points=100 id=i
      EARN card:Secret-second merchant=cafe points=50 id=j
      REDEEM card:Secret-card merchant=cafe points=1000 id=k
      HOLD card:Secret-card merchant=cafe points=5 id=l
      TRANSFER card:Secret-card card:Secret-second points=3 id=m
      TRANSFER ann card:Secret-nobody points=3 id=n
      CARD LOST Secret-second id=o
      REDEEM card:Secret-second merchant=cafe points=1 id=p
      TRANSFER dan card:Secret-second points=3 id=q
      CARD FOUND Secret-second id=r
      CARD REMOVE Secret-second id=s
      CARD ADD Secret-second member=ben id=t
      MEMBER FREEZE card:Secret-card id=u
      EARN card:Secret-card merchant=cafe points=100 id=v
      MEMBER CLOSE dan id=w
      """
    for line in lines.split(separator: "\n") { _ = try world.run(String(line)) }
    var (journal, state): ([UInt8], [UInt8]) = ([], [])
    for shard in world.shards {
      for number in shard.journal.segments.keys.sorted() { journal += shard.journal.segments[number] ?? [] }
      state += shard.snapshotBytes()
    }
    // It would be found: who moved points is there, and the state knows all of it.
    #expect(holds("dan", journal) && holds("cyd", journal))
    for word in ["name", "region", "card", "second", "kind", "note"] { #expect(holds("Secret-\(word)", state)) }
    #expect(!holds("Secret-", journal))
  }
}
