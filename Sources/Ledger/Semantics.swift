/// The rules by which entries are applied, and the forms in which what comes of them is written: numbered, each with all of
/// the one before that it does not say otherwise. An entry's header says which it goes by, and a state remembers the newest
/// that it has met. A leader begins to use newer ones once every node has said that it knows them; a replica that meets
/// some that it does not know applies nothing from there on.
///
/// Who changes a rule, or writes something that earlier builds cannot read (a table, a larger record, a field of the
/// catalogue, a record of the journal), gives it the next number, raises `newest`, and asks for it where it begins.
public enum Semantics {
  public static let first: UInt8 = 1
  /// The journal says where newer semantics begin: `RecordKind.rules`.
  static let rulesInJournal: UInt8 = 2
  /// Slots may move to another shard: `Slots/`.
  public static let splits: UInt8 = 3
  /// Programs have policies, members have files and counters: `EntryField.policies`.
  public static let programme: UInt8 = 4
  /// Purchases into a pool count for the tiers of the member who bought; what serves reports and erasure.
  public static let service: UInt8 = 5
  /// What a closed member owes is written off; the refund window ends with a day; a `SET` without bounds keeps those that there are; a program
  /// has 64 policies; a terminal or a message is set when every node has it; dates of policies and tiers are their program's; a purchase
  /// that drew on a budget and qualified for a tier is understood.
  public static let amended: UInt8 = 6
  /// A member's card type is one that was set up; nobody refers himself; tiers of a program differ in rank; `funded=` names parties; a
  /// program's zone changes only if nobody touched the program meanwhile; a question knows what all shards have drawn of budgets; of two
  /// reasons to refuse, one about the member comes before one about the merchant, and a bound that was reached is explained; a card type that is stopped or has
  /// yet to begin gives no factor, and a product that has yet to begin no category.
  public static let checked: UInt8 = 7
  /// What an earning brings about before it is booked counts in caps behind the earning itself; an org is matched by rules while it is in
  /// force, and not once it is stopped; nobody is newly given a type of card that is stopped; a case that is approved takes nothing on
  /// which other cases are to decide; `USER SET` and `TENANT SET` may carry a request id; shards are asked for a view of their members:
  /// `Inquiry.members`.
  public static let settled: UInt8 = 8
  /// A new cluster's logs begin by the semantics that all its nodes know.
  public static let begun: UInt8 = 4
  /// What this build knows.
  public static let newest: UInt8 = 8
}
