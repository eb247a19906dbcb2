/// What an operation does to one member, as the search sees it: what must be so before, what changes, what was seen.
///
/// An operation that is certain must take effect at one moment from `begin` to `end`; an optional one at one moment
/// from `begin` on, or never.
struct Action {
  /// Stands for "was not said".
  static let unseen = Int64.min
  /// What an account may have, available and held: the product's own limit.
  static let largestBalance: Int64 = 1_000_000_000_000_000_000

  var begin: UInt64
  /// `.max` of an optional action.
  var end: UInt64
  /// The operation's place in the history; of a lapse, the hold's.
  var operation: Int
  var balanceChange: Int64 = 0
  var heldChange: Int64 = 0
  /// So many points must be available before.
  var need: Int64 = 0
  /// Of a refusal: fewer points than this were available. 0: it is none.
  var refusedNeed: Int64 = 0
  /// Of a purchase that had no room: so much was there before, at least. 0: it is none.
  var leastBalance: Int64 = 0
  /// The hold that it opens, must find open and closes, or must not find open with so many points; -1: none.
  var opens = -1
  var closes = -1
  var refusedHold = -1
  var refusedHoldPoints: Int64 = 0
  /// What was seen right after it; `unseen` where nothing was.
  var balance = Action.unseen
  var held = Action.unseen
  var available = Action.unseen
  /// The optional action of the same effect that began before it: of these the first to begin is used first.
  var previousAlike = -1
  /// To be tried before it is needed: it opens a hold that may be closed while it is still under way.
  var branches = false

  var isOptional: Bool { end == .max }
  var isCertain: Bool { end != .max }
  /// It changes nothing, so it is best done as soon as what it saw is so.
  var isPure: Bool { balanceChange == 0 && heldChange == 0 && opens < 0 && closes < 0 }
  var availableChange: Int64 { balanceChange &- heldChange }
  /// It says more of the state than that enough was there.
  var isObserving: Bool {
    balance != Action.unseen || held != Action.unseen || available != Action.unseen || refusedNeed > 0
      || leastBalance > 0
      || refusedHold >= 0
  }
}

/// A hold of a member, and which actions open and close it.
struct HoldActions {
  var points: Int64
  /// -1: no operation made it.
  var opener = -1
  var closers: [Int] = []
}
