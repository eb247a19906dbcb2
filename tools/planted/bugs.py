"""The bugs that tools/planted-bugs plants: each a change of production code that some check must notice."""

from dataclasses import dataclass


@dataclass
class Bug:
    name: str
    what: str
    # (file, what stands there exactly once, what is to stand there)
    changes: list
    # Where scenarios cannot see it by nature: the tests that do, as target and suite.
    tests: str = ""


ELECTION = "Sources/Raft/Group/RaftGroup+Election.swift"
REPLICATION = "Sources/Raft/Group/RaftGroup+Replication.swift"
EVENTS = "Sources/Raft/Group/RaftGroup+Events.swift"
READINDEX = "Sources/Raft/Group/RaftGroup+ReadIndex.swift"
TRACKER = "Sources/Raft/Members/ProgressTracker.swift"
DURABILITY = "Sources/Raft/Log/Durability.swift"
STORAGE = "Sources/NodeDisk/NodeStorage.swift"
GROUP_MESSAGES = "Sources/Cluster/Node/GroupMessages.swift"
HEARTBEATS = "Sources/Cluster/Peers/Heartbeats.swift"
JOURNALS = "Sources/NodeDisk/NodeStorage+Journal.swift"
LOG = "Sources/Storage/Log/WriteAheadLog.swift"
RECOVERY = "Sources/Storage/Log/LogRecovery.swift"
SNAPSHOT = "Sources/Storage/Snapshots/SnapshotWriter.swift"
REQUESTS = "Sources/Ledger/Requests/Ledger+Requests.swift"
REDEEM = "Sources/Ledger/Commands/Points/Redeem.swift"
PAST = "Sources/Ledger/Books/Ledger+Past.swift"
DELIVERIES = "Sources/Ledger/Steps/Ledger+Deliveries.swift"
TRANSFER_STEP = "Sources/Ledger/Steps/TransferStep.swift"
RESTORE = "Sources/Ledger/State/Ledger+Snapshot.swift"
KEYED = "Sources/Ledger/State/KeyedHashes.swift"
STREAMS = "Sources/Cluster/Edge/RequestDesk+Streams.swift"
REPLICA = "Sources/Cluster/Replica/Replica.swift"
EDGE = "Sources/Cluster/Edge/Edge.swift"
STREAM = "Sources/Cluster/Edge/EdgeStream.swift"
APPLY = "Sources/Ledger/Commands/Ledger+Apply.swift"
DAMAGE = "Sources/Raft/Damage.swift"
RAFT_REPAIR = "Sources/Raft/Group/RaftGroup+Repair.swift"
REPAIR = "Sources/Raft/Repair.swift"
CLOCK = "Sources/Cluster/Health/ClockGuard+Entries.swift"
GUARD = "Sources/Cluster/Health/ClockGuard.swift"
DISK = "Sources/Cluster/Health/DiskHealth.swift"
BOUND = "Sources/Cluster/Health/LogBound.swift"
DAMAGED = "Sources/NodeDisk/NodeStorage+Damage.swift"
SHEDDING = "Sources/Cluster/Health/Shedding.swift"
CLIENTS = "Sources/Cluster/Clients/RequestDesk+Clients.swift"
NOTE = "Sources/Cluster/Replica/Applying/ApplyingNote.swift"
SHARDS = "Sources/Cluster/Shards/ShardDesk+Directory.swift"
FOUNDING = "Sources/Cluster/Shards/ShardDesk+Founding.swift"
ABSENT = "Sources/Cluster/Replica/AbsentReplicas.swift"
CHANGES = "Sources/Cluster/Directory/ChangeRequests.swift"
DRIVING = "Sources/Cluster/Replica/Replica+Driving.swift"
READS = "Sources/Cluster/Replica/Reading/WaitingReads.swift"
GATHER = "Sources/Cluster/Replica/Leading/Gather.swift"
CLOSED = "Sources/Cluster/Replica/Reading/ClosedTime.swift"
APPLYING = "Sources/Cluster/Replica/Applying/Replica+Applying.swift"
SEAT = "Sources/Cluster/Peers/Seat.swift"
QUOTA_STEP = "Sources/Ledger/Quotas/QuotaStep.swift"
QUOTAS = "Sources/Ledger/Quotas/Ledger+Quotas.swift"
KEPT = "Sources/NodeDisk/NodeStorage+Seat.swift"
PROOF = "Sources/Cluster/Peers/Proof.swift"
INIT = "Sources/Cluster/Beginning/Beginning.swift"
PLANS = "Sources/Cluster/Beginning/Beginning+Plans.swift"
TURNS = "Sources/Cluster/Snapshots/SnapshotDesk+Turns.swift"
LINKS = "Sources/Cluster/Peers/PeerLinks+Standing.swift"
GROUPS = "Sources/Cluster/Operations/ShardDesk+Groups.swift"

EXPORT = "Sources/Ledger/Slots/Ledger+Export.swift"
IMPORT = "Sources/Ledger/Slots/Ledger+Import.swift"
REQUESTS_MOVE = "Sources/Ledger/Slots/Kinds/RequestContent.swift"
HOLDINGS = "Sources/Cluster/Replica/SlotHoldings.swift"
MOVES = "Sources/Cluster/Operations/SlotMove.swift"
SLOTS = "Sources/Cluster/Shards/ShardDesk+Slots.swift"
RULE_STAGES = "Sources/Rules/Evaluation/RuleSet+Evaluate.swift"
RULE_BASE = "Sources/Rules/Evaluation/RuleSet+Base.swift"
RULE_TIMES = "Sources/Rules/Evaluation/RuleSet+Times.swift"
RULE_WORK = "Sources/Rules/Evaluation/RuleWork.swift"
RULE_FIND = "Sources/Rules/RuleSet/RuleSet+Find.swift"
RULE_CONDITIONS = "Sources/Rules/RuleSet/RuleSet+Conditions.swift"
RULE_COMPILE = "Sources/Rules/RuleSet/RuleSet+Compile.swift"
TIERS = "Sources/Ledger/Tiers/Ledger+Tiers.swift"
TIER_STANDING = "Sources/Ledger/Tiers/TierStanding.swift"
POOL_TIERS = "Sources/Ledger/Pools/Ledger+PoolTiers.swift"
TIER_ENDS = "Sources/Ledger/Tiers/Ledger+PeriodEnds.swift"
SALE_RETURN = "Sources/Rules/Returns/SaleReturn.swift"

BUGS = [
    # Raft: elections
    Bug("vote-before-durable", "a vote is sent before it is on disk",
        [(ELECTION, "      durability.hold(reply)\n", "      pending.messages.append(reply)\n")]),
    Bug("vote-asked-before-durable", "a candidate asks for votes before its term is on disk",
        [(ELECTION, "if kind == .vote { durability.hold(request) } else { pending.messages.append(request) }",
          "pending.messages.append(request)")]),
    Bug("own-vote-before-durable", "a candidate asks for votes, and counts its own, before it is on disk",
        [(ELECTION, "if kind == .vote { durability.hold(request) } else { pending.messages.append(request) }",
          "pending.messages.append(request)"),
         (ELECTION, "guard role == .candidate, durability.holds(term: term, vote: id),\n      let own",
          "guard role == .candidate, let own"),
         (ELECTION, "precondition(role == .candidate && vote == id && durability.durableTerm == term, \"a leader was elected\")",
          "precondition(role == .candidate && vote == id, \"a leader was elected\")"),
         (ELECTION, "    requestVotes(.vote, in: term, force: force)\n",
          "    requestVotes(.vote, in: term, force: force)\n    countOwnVote()\n")]),
    Bug("vote-twice", "a second vote in one term",
        [(ELECTION, "let isFree = vote == message.from || vote == .none && leader == .none ||",
          "let isFree = vote == message.from || leader == .none ||")]),
    Bug("vote-not-kept", "a vote alone is no reason to write the hard state",
        [(DURABILITY, "state.term != written.term || state.vote != written.vote", "state.term != written.term")]),
    Bug("vote-for-stale-log", "votes for a candidate whose log is behind",
        [(ELECTION, "guard damage.mayVote, isFree, isUpToDate, !isOutranked", "guard damage.mayVote, isFree, isUpToDate || true, !isOutranked")]),
    Bug("no-check-quorum", "a leader that hears nobody goes on leading",
        [(ELECTION, "if !peers.hasQuorum({ isActive($0) }) {", "if false {")]),
    Bug("no-pre-vote", "raises the term before it asks whether it could win",
        [(EVENTS, "      if isPromotable && mayLead {\n        preCampaign()\n",
          "      if isPromotable && mayLead {\n        campaign(force: true)\n")]),
    # Idle groups
    Bug("idle-for-ever", "a group that was idle once is never busy again",
        [("Sources/Raft/Leader/Leadership.swift", "isQuiet ? min(quietTicks + 1, options.idleAfterTicks) : 0",
          "isQuiet || isIdle(options) ? min(quietTicks + 1, options.idleAfterTicks) : 0"),
         ("Sources/Raft/Leader/Leadership.swift", "mutating func wake() { quietTicks = 0 }", "mutating func wake() {}")],
        tests="RaftTests.IdleGroupTests"),
    Bug("beats-without-heartbeats", "heartbeats that may wait wait for ever",
        [(HEARTBEATS, "    buffer.append(waiting.bytes)\n", "")], tests="ClusterTests.IdleTests"),
    Bug("answer-for-another-group", "an answer to a heartbeat counts for the group that was read before it",
        [(GROUP_MESSAGES, "    while !reader.isAtEnd {\n", "    var last: ShardID?\n    while !reader.isAtEnd {\n"),
         (GROUP_MESSAGES, "      take(message, of: shard)\n",
          "      take(message, of: message.kind == .heartbeatReply ? last ?? shard : shard)\n      last = shard\n")],
        tests="ClusterTests.IdleTests"),
    Bug("beats-for-all", "a node of an older build is told by beats too",
        [("Sources/Cluster/Peers/PeerTable.swift", "if message.isHeartbeat && peer.hello.takesBeats {", "if message.isHeartbeat {")],
        tests="ClusterTests.IdleTests"),
    # Raft: replication
    Bug("ack-before-durable", "a follower acknowledges entries before they are on disk",
        [(REPLICATION, "    durability.hold(answer(Message(.appendReply,", "    pending.messages.append(answer(Message(.appendReply,")]),
    Bug("own-ack-before-durable", "a leader counts its own copy before it is on disk",
        [(REPLICATION, "    log.append(LogEntry(index: index, term: term, kind: kind, payload: payload))\n    return index",
          "    log.append(LogEntry(index: index, term: term, kind: kind, payload: payload))\n"
          "    if let own = peers.position(of: id) { peers[own].match = index }\n    return index")]),
    Bug("commit-without-quorum", "commits what one node more than a minority lacks",
        [(TRACKER, "sorted[(count - 1) / 2]", "sorted[count - 1]")]),
    Bug("commit-of-old-term", "commits entries of earlier terms by counting copies",
        [(REPLICATION, "guard index > commitIndex, log.term(at: index) == term else { return }",
          "guard index > commitIndex else { return }")]),
    Bug("no-log-matching", "takes entries without looking at the one before",
        [(REPLICATION, "guard log.holds(message.index, message.logTerm) else {\n      let agreement",
          "guard message.index <= log.lastIndex else {\n      let agreement")]),
    Bug("commit-beyond-match", "commits what lies behind the entries that the leader vouched for",
        [(REPLICATION, "commit(through: min(message.commit, last))", "commit(through: min(message.commit, log.lastIndex))")],
        # No leader here sends such an append.
        tests="RaftTests.GroupTests"),
    Bug("heartbeat-commit", "a heartbeat commits what the follower may not share",
        [(REPLICATION, "commit: min(peer.match, commitIndex),\n", "commit: commitIndex,\n")]),
    Bug("cut-not-noted", "entries written, cut and written again count as durable too early",
        [(REPLICATION, "        durability.truncated(from: entry.index)\n", "")]),
    Bug("learner-counted", "copies at learners count towards a majority",
        [(TRACKER, "        for member in members where belongs(member) {\n",
          "        for member in members where belongs(member) || !member.isVoter {\n")]),
    # Raft: members that leave and return
    Bug("ack-of-earlier-born", "what a member acknowledged before it left counts for the one that its node is now",
        [(TRACKER, "members.firstIndex { $0.id == replica }", "members.firstIndex { $0.id.node == replica.node }")],
        tests="RaftTests.ReturnTests"),
    Bug("message-for-earlier-born", "takes messages that are meant for another member that its node was or will be",
        [(EVENTS, "guard born > id.born else { return born == id.born }", "guard born > id.born, id.born == 0 else { return true }")]),
    Bug("vote-for-earlier-born", "a vote for the member that a node was is one for the member that it is",
        [(ELECTION, "let isFree = vote == message.from ||", "let isFree = vote.node == message.from.node ||")],
        tests="RaftTests.ReturnTests"),
    Bug("second-change-too-early", "members change again before it is committed how they changed last",
        [(EVENTS, "guard !configuration.isJoint, !leadership.isChanging(committed: commitIndex) else { throw .changeInFlight }",
          "guard !configuration.isJoint else { throw .changeInFlight }")]),
    Bug("configuration-not-kept", "that a configuration is committed is not written as it comes into force",
        [(DURABILITY, "    if index > written.commit { isCommitOwed = true }\n", "")],
        tests="RaftTests.ReturnTests"),
    Bug("removed-voter-counts", "voters that the group has removed go on counting",
        [(TRACKER, "    members = configuration.members.map { replica in\n",
          "    let gone = old.filter { $0.isVoter && !configuration.contains($0.id) }.map(\\.id)\n"
          "    members = (configuration.members + gone).sorted().map { replica in\n"),
         (TRACKER, "member.isIncoming = configuration.voters.contains(replica)",
          "member.isIncoming = configuration.voters.contains(replica) || gone.contains(replica)")]),
    # Replicas that begin, and replicas that leave
    Bug("voters-by-the-map", "a replica that begins takes the map's voters for its group's",
        [(FOUNDING, "      configuration: nil, entries: [], machine: nil)\n    if shard == .directory",
          "      configuration: membership.topology?.placement(of: shard).map {\n"
          "        Configuration(voters: $0.voters.map { ReplicaID(node: $0, born: message.to.born) }, version: message.to.born)\n"
          "      }, entries: [], machine: nil)\n    if shard == .directory")]),
    Bug("removed-by-the-map", "a replica leaves because the map, which lags, does not name it",
        [(GROUPS, "return replica.raft.isRemoved ||",
          "if let voters = membership.topology?.placement(of: replica.shard)?.voters, !voters.contains(peers.id) { return true }\n"
          "      return replica.raft.isRemoved ||")]),
    Bug("founding-over-what-was", "a founder that is told of the beginning again begins again, whatever its log has",
        [(FOUNDING, "if let left, founding.isKept(by: left) { return absent.keep(left) }", "_ = left")],
        tests="ClusterTests.ShardDeskTests"),
    Bug("tombstone-not-written", "what a replica was goes, and that it has left is not written down",
        [(FOUNDING, "    disk.writer.add(LogRecord(shard: shard, body: .gone(born: born)))\n", "")],
        tests="ClusterTests.ShardDeskTests"),
    Bug("files-before-tombstone", "the files of a replica that leaves go before its tombstone is durable",
        [(ABSENT, "      case .buried:\n", "      case .buried, .burying:\n")],
        tests="ClusterTests.ShardDeskTests"),
    Bug("gone-is-raised", "a message raises a replica that has left",
        [(ABSENT, "departures[shard] == nil && !isGone(shard, born: born)", "departures[shard] == nil")]),
    # Whose slot it is
    Bug("foreign-slot-applied", "a shard applies commands for slots that it does not own",
        [(APPLY, "    guard owns(call) else { return moved(call.slot, &reply) }\n    let start", "    let start")],
        tests="LedgerTests.OwnershipTests"),
    Bug("older-map-wins", "a map that comes late gives slots back to the shards that had them",
        [(EDGE, "for slot in range where whereabouts.epoch > slotEpochs[slot] {", "for slot in range {")],
        tests="ClusterTests.EdgeTests"),
    Bug("slot-leaves-early", "requests for a slot that moved go to its new shard before the old one has answered those sent",
        [(EDGE, "guard !stream.isLeavingAwaited else {", "guard !stream.isLeavingAwaited || true else {")],
        tests="ClusterTests.HandoverTests"),
    Bug("held-is-overtaken", "new requests for a slot that leaves are sent while others for it are held",
        [(STREAM, "    if isLeaving { holdWaiting() }\n", "")],
        tests="ClusterTests.HandoverTests"),
    # Splits
    Bug("ids-left-behind", "what requests were answered stays behind when their slots move",
        [(REQUESTS_MOVE, "slot.found.requests.sorted() }", "[] }")],
        tests="LedgerTests.MovingTests"),
    Bug("moved-on-one-side", "what members took along is posted by the shard that takes the slots in alone",
        [(EXPORT, "      post(wide: books[place].members, books[place].program, from: .members, to: .inTransit)\n", "")],
        tests="LedgerTests.MovingTests"),
    Bug("deadline-left-behind", "a hold that moved with its slot never runs out",
        [("Sources/Ledger/Books/Ledger+Holds.swift",
          "    pushDeadline(HoldDeadline(deadline: deadline, id: tx, hold: number))\n",
          "    if tables.transactions.isEmpty || tx.sequence == lastSequence(of: tx.slot) {\n      pushDeadline(HoldDeadline(deadline: deadline, id: tx, hold: number))\n    }\n")],
        tests="LedgerTests.MovingTests"),
    Bug("lapsed-left-behind", "what lapsed of a lot is forgotten when its slot moves",
        [(REQUESTS_MOVE, "  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [UInt64] {\n    slot.found.lapsed.map",
          "  static func places(in slot: SlotContext, of ledger: borrowing Ledger) -> [UInt64] {\n    slot.found.lapsed.prefix(0).map")],
        tests="LedgerTests.MovingTests"),
    Bug("part-taken-twice", "a part of a parcel that comes again is taken in again",
        [(IMPORT, "record.parts == parts, record.part == part else", "record.parts == parts, record.part >= part else")],
        tests="LedgerTests.ParcelTests"),
    Bug("parcel-taken-twice", "a parcel that was taken in is taken in again",
        [(IMPORT, "epoch <= mark.epoch {", "epoch < mark.epoch {")],
        tests="LedgerTests.ParcelTests"),
    Bug("parcel-unchecked", "what was taken in need not be what the source counted",
        [(IMPORT, "    guard sum == parcel.header.digest, isRight else { return fail(.records) }\n", "")],
        tests="LedgerTests.ParcelTests"),
    Bug("moved-slot-read", "a shard answers queries for slots that it gave away",
        [("Sources/Ledger/Ledger+Read.swift", "      guard owns(call) else {\n", "      guard owns(call) || true else {\n")],
        tests="LedgerTests.OwnershipTests"),
    Bug("told-before-arrival", "whoever asks for a slot on its way is sent where it is not yet",
        [(HOLDINGS, "    if outbox.departing.slots?.contains", "    if false, outbox.departing.slots?.contains")],
        tests="ClusterTests.ShardDeskSlotsTests"),
    Bug("map-before-arrival", "the map has slots that are on their way",
        [(MOVES, "guard !newer.isEmpty, newer.allSatisfy({ !$0.isMoving }) else", "guard !newer.isEmpty else")],
        tests="ClusterTests.SlotMoveTests"),
    Bug("books-end-with-the-shard", "a shard that is merged ends with what it has in its books",
        [("Sources/Cluster/Operations/ShardMerge.swift", " && !source.hasBooks", "")],
        tests="ClusterTests.SlotMoveTests"),
    Bug("ends-with-a-gap", "a shard ends before all its members have all of its log",
        [("Sources/Cluster/Operations/ShardMerge.swift", "guard late.isEmpty else {", "guard true || late.isEmpty else {")],
        tests="ClusterTests.SlotMoveTests"),
    Bug("leader-leaves-first", "the leader of a shard that has ended leaves before the others know that all is committed",
        [(SLOTS, "let isDue = !replica.isLeader || ", "let isDue = true || ")],
        tests="ClusterTests.ShardDeskSlotsTests"),
    Bug("newcomer-without-journals", "a newcomer begins with a log that refers to journals which it does not have",
        [("Sources/Raft/Group/RaftGroup+Replication.swift", "let isToBegin = previous == LogIndex(0) && ", "let isToBegin = false && previous == LogIndex(0) && ")],
        tests="RaftTests.TranscriptTests"),
    Bug("export-twice", "an export that is told again takes slots that were not meant",
        [(EXPORT, "guard epoch == core.epoch, first < end", "guard epoch <= core.epoch, first < end")],
        tests="LedgerTests.ParcelTests"),
    Bug("open-snapshot-is-base", "a snapshot has the changes since one that was begun by older rules",
        [("Sources/Ledger/Memory/PagePool.swift", "if isKept && !state.pointee.openIsFormer {", "if isKept {")],
        tests="LedgerTests.SemanticsTests"),
    # Raft: reads
    Bug("read-without-quorum", "a read is answered without asking whether somebody else leads",
        [(READINDEX, "reads.confirm(through: peers.quorumValue(\\.confirmedRound), into: &pending.readStates)",
          "reads.confirm(through: leadership.reads.newest, into: &pending.readStates)")]),
    Bug("read-before-own-term", "a new leader answers reads before it has committed in its term",
        [(READINDEX, "guard !leadership.reads.waiting.isEmpty, hasCommittedInOwnTerm,", "guard !leadership.reads.waiting.isEmpty,"),
         (REPLICA, "notBefore: raft.lastIndex)\n    gather", "notBefore: LogIndex(0))\n    gather")]),
    # Storage
    Bug("skip-fsync", "the log is written and not synced",
        [("Sources/NodeDisk/NodeStorage+Log.swift", "return try room { try log.write(batch.records) }",
          "return try room { try log.append(batch.records) }")]),
    Bug("checksum-ignored", "a torn record is taken for whole",
        [("Sources/Storage/Log/LogFormat.swift", "guard crc == LogFormat.load(bytes, offset, as: UInt32.self) else { return nil }\n    return RecordHead(",
          "_ = crc\n    return RecordHead(")]),
    Bug("cut-at-rot", "a log that has rotted is cut there, like one that is torn",
        [(RECOVERY, "      throw LogRecovery.rot(Gap(path: gap.path, offset: gap.offset, reason: \"\\(gap.reason); \\(proof)\"))\n",
          "      _ = proof\n")]),
    Bug("identity-reused", "a node that lost its disk comes back as who it was",
        [("Sources/NodeDisk/Identity.swift", "guard logFiles.contains(where: { $0.hasSuffix(\".wal\") }) else {",
          "guard !logFiles.contains(\"\") else {")]),
    Bug("snapshot-not-synced", "a snapshot gets its name before its bytes are on disk",
        [(SNAPSHOT, "    try file.sync()\n", "")]),
    Bug("rename-not-synced", "a snapshot counts before its name is on disk",
        [(SNAPSHOT, "    try fileSystem.syncDirectory(directory)\n    end()", "    end()")]),
    Bug("journal-not-synced", "a snapshot refers to a journal that is not on disk",
        [(JOURNALS, "    try journals.sync(order.shard)\n", "")]),
    Bug("other-journal-not-synced", "a snapshot refers to another shard's journal that is not on disk",
        [(JOURNALS, "        try journals.sync(journal)\n", "")], tests="NodeDiskTests.LineageTests"),
    Bug("tombstone-before-journal", "the log of a replica that leaves goes before its journal is durable",
        [(ABSENT, "return isDone ? tombstones[shard] : nil", "return tombstones[shard]")], tests="ClusterTests.AbsentReplicasTests"),
    Bug("journal-swept", "a journal goes to which a snapshot here refers",
        [(JOURNALS, "where try inherited[journal] == nil && snapshots.newest(journal) == nil", "where try snapshots.newest(journal) == nil")],
        tests="NodeDiskTests.LineageTests"),
    Bug("other-journal-trusted", "a journal of another shard that came with a snapshot is not the one that it refers to",
        [("Sources/NodeDisk/NodeStorage+Transfers.swift", "guard receiver.chain != wanted else { return }", "guard receiver.chain.position != wanted.position else { return }")],
        tests="NodeDiskTests.LineageTests"),
    Bug("shorter-history", "what is not here yet of another shard's journal is taken for the end of it",
        [("Sources/NodeDisk/JournalView.swift", "try !position.isBefore(store.end(journal))", "try !position.isBefore(store.end(journal)), false")],
        tests="NodeDiskTests.LineageTests"),
    Bug("journal-not-cut", "the journal keeps what the replay of the log writes again",
        [("Sources/NodeDisk/NodeStorage+Damage.swift", "try truncateJournal(shard, to: loaded.machine.journal.position)", "_ = journals")]),
    Bug("tail-not-copied", "a start trusts a last batch that may be in memory only",
        [(LOG, "    try copyTail()\n", "    if segments.isEmpty { try copyTail() } else { position = segments[segments.count - 1].end }\n")]),
    Bug("state-lost-in-recycling", "a recycled segment takes terms and votes with it",
        [("Sources/Storage/Log/WriteAheadLog+Recycling.swift",
          "    try carryOver(origin: first ?? lastBatch + 1)\n",
          "")]),
    # Ledger
    Bug("dedupe-not-in-snapshot", "a snapshot forgets the request ids",
        [(RESTORE, "    try ledger.tables.past.checkRestored()\n",
          "    try ledger.tables.past.checkRestored()\n"
          "    for n in ledger.tables.dedupe.first..<ledger.tables.dedupe.end {\n"
          "      ledger.tables.dedupe.unindex(n, ledger.tables.dedupe.read(n).pointee.low)\n    }\n")]),
    Bug("dedupe-forgotten-early", "request ids are forgotten after seconds",
        [(REQUESTS, "{ limits.retentionSeconds * CivilTime", "{ 2 * CivilTime"),
         ("Sources/Ledger/State/RetentionMarks.swift", "interval = 3600 *", "interval = 1 *")]),
    Bug("request-id-unkeyed", "two request ids that somebody chose are taken for one",
        [(KEYED, "    hash.absorbEnd(request)\n    (low, high)", "    hash.absorb(xxh64(request))\n    (low, high)")]),
    Bug("key-not-in-snapshot", "a ledger that a snapshot brings has forgotten the cluster's key",
        [(RESTORE, "    ledger.hashes = KeyedHashes(ledger.core.key)\n", "    ledger.hashes = KeyedHashes(.none)\n")]),
    Bug("delivery-twice", "a delivery that comes again before it is acknowledged is applied again",
        [(DELIVERIES, "    if hasSeen(key) { return .silent }\n", ""),
         (DELIVERIES, "    if let number = findInbox(from, step) {\n      newDeliveries.append(verdict",
          "    if let number = findInbox(from, step), false {\n      newDeliveries.append(verdict")]),
    Bug("late-delivery-twice", "a delivery that comes again after it was acknowledged is applied again",
        [(DELIVERIES, "    if hasSeen(key) { return .silent }\n", "")]),
    Bug("refusal-not-kept", "a repeated request may succeed after it was refused",
        [("Sources/Vocabulary/ErrorCodes.swift", "case .insufficient, .frozen,", "case .frozen,"),
         ("Sources/Vocabulary/ErrorCodes.swift", "case .malformed, .noAuth,", "case .insufficient, .malformed, .noAuth,")]),
    Bug("overdraft", "one point more than there is may be redeemed",
        [(REDEEM, "guard let holder, available >= points else {", "guard let holder, available >= points || available > 0 && available == points - 1 else {")]),
    Bug("facts-not-checked", "a refund takes what it carries of its transaction for true, however old that is",
        [(PAST, "    return check.word(state: entry.state) == entry.word ? transaction : nil\n",
          "    _ = check\n    return transaction\n")]),
    Bug("refunds-forgotten", "a transaction that leaves memory leaves behind what was given back of it",
        [(PAST, "    t.reversedPoints = latest?.reversedPoints ?? 0\n", ""),
         (PAST, "    sum = DigestSum.mix(sum &+ t.reversedPoints.bits, t.reversedSpend.bits)\n", "")]),
    Bug("transfer-not-returned", "a refused transfer is not given back",
        [(TRANSFER_STEP, "    giveBack(holder, transaction, transaction.points, withGrace: false)\n", "")]),
    Bug("hold-released-twice", "a hold that was captured is released too",
        [("Sources/Ledger/Commands/Points/Release.swift", "guard s.transaction.state == TransactionRecord.open else {",
          "guard s.transaction.state != TransactionRecord.released else {")]),
    Bug("held-not-bounded", "points that are held do not count towards what an account may hold",
        [("Sources/Ledger/Books/Ledger+Bounds.swift", "let present = account.pointee.available &+ account.pointee.held",
          "let present = account.pointee.available")]),
    Bug("closed-with-points", "a member that was closed meanwhile keeps what a transfer brings back",
        [(TRANSFER_STEP, "    if holder.member.pointee.state == MemberState.closed.rawValue { lapseRest(holder) }\n", "")]),
    Bug("first-hold-not-first", "a hold goes in behind all others of its member, whenever it runs out",
        [("Sources/Ledger/Books/Ledger+Holds.swift",
          "while before != .none, tables.holds.read(before).pointee.deadline > deadline {", "while false {")]),
    # Cluster
    Bug("unavailable-though-passed-on", "says that nothing was done of a request whose fate is open",
        [("Sources/Cluster/Edge/Edge.swift", "(.unknown, \"no answer in time; repeat it with the same id\")",
          "(.unavailable, \"no answer in time; nothing was done\")")]),
    Bug("doubt-forgotten", "believes the next leader that nothing was done, though an earlier one had the request",
        [(STREAMS, "if item.inDoubt && RequestDesk.saysNothingHappened(reply) {", "if false {")]),
    Bug("asof-too-new", "a local read promises more than is applied",
        [(CLOSED, "applied >= index ? max(stamp, present) : present", "max(stamp, present)")]),
    Bug("takes-over-too-early", "a leader proposes before it has applied what it found",
        [(REPLICA, "raft.mayLead && machine.lastIndex >= leading.foundIndex\n", "raft.mayLead\n")]),
    Bug("stamps-not-rising", "an entry's stamp may be that of the one before",
        [(GATHER, "let floor = max(last, latestDelivery)", "let floor = Stamp.zero")]),
    Bug("reads-see-later-entries", "a query sees what was asked for after it",
        [(APPLYING, "      evaluateReadRounds()\n", "")]),
    Bug("read-before-earlier-entries", "a read is answered before the entries that were proposed before it are applied",
        [(READS, "rounds[place].index = max(index, rounds[place].notBefore)", "rounds[place].index = index")]),
    Bug("asof-by-own-clock", "a leader promises by its own clock, which may be ahead of the next one's",
        [(GUARD, "earliestOffset.map { min(now.wall, Stamp(microseconds: Int64(now.monotonic) &+ $0)) }",
          "earliestOffset.map { _ in now.wall }")]),
    Bug("closed-before-commit", "the past is told to be closed before a quorum has said so",
        [(REPLICA, "    closed.ask(context, at: earliest, last: raft.lastIndex)\n",
          "    closed.ask(context, at: earliest, last: raft.lastIndex)\n    noteClosed(earliest, raft.commitIndex)\n")]),
    # Which process a node is, and how a cluster begins
    Bug("copy-votes", "a start does not ask whether another has this node's seat",
        [(SEAT, "    guard let topology else { return true }\n    let gone",
          "    guard let topology, topology.version == .max else { return true }\n    let gone")]),
    Bug("older-life-welcome", "a seat is given to a life that follows an older one than the last",
        [(PROOF, "return predecessor == self || predecessor.incarnation > incarnation", "return true")]),
    Bug("seat-not-kept", "a life that has its seat does not note that on its disk",
        [(KEPT, "      try Incarnation.keep(seat: life, directory: directory, fileSystem: fileSystem)\n",
          "      _ = try fileSystem.exists(directory)\n")]),
    Bug("moved-not-dialled", "whoever a node hears from at a new address is not dialled there",
        [(LINKS, "    dial(peer.hello.peerAddress)\n", "")]),
    Bug("moved-never-vacant", "a node that moved waits for its old machine's links for ever",
        [(SEAT, "guard isGone || peer.isSilent(for: SeatVerdict.vacantAfter, now: now) else", "guard isGone else")]),
    Bug("cluster-begun-too-early", "a cluster begins before all of its nodes have promised themselves to it",
        [(INIT, "if current.phase == .asking, current.waiting.isEmpty, isReady(plan) {", "if current.phase == .asking, isReady(plan) {")]),
    Bug("yielded-init-forgotten", "whoever asked a coordinator that gave way for a cluster is not answered",
        [(PLANS, "    initialisation = nil\n    waits.append(", "    initialisation = nil\n    _ = ("),]),
    # Faults of disks, clocks and connections
    Bug("damaged-votes", "a replica that lost what it acknowledged gives its vote",
        [(DAMAGE, "public var mayVote: Bool { !isOpen && !isFenced }", "public var mayVote: Bool { true }")]),
    Bug("never-repaired", "a damaged replica never counts again",
        [(REPAIR, "guard damage.isOpen, point.rawValue > 0, committed", "guard false, point.rawValue > 0, committed")]),
    Bug("lives-not-told-apart", "what a replica acknowledged before it lost it counts on",
        [(RAFT_REPAIR, "    if message.life > peers[at].life { peers[at].beginLife(message.life, logEnd: log.lastIndex) }\n", "")]),
    Bug("future-taken", "entries are taken however far they are stamped ahead",
        [(CLOCK, "    guard EntryHeader.stamp(of: last) > limit else { return true }\n",
          "    guard EntryHeader.stamp(of: last) > limit, limit < 0 else { return true }\n")]),
    Bug("full-for-good", "a disk that was full counts as full for ever",
        [(DISK, "guard isFull, free >= reserve.resumeByteCount else", "guard isFull, free == .max else")]),
    Bug("log-not-bounded", "the log grows as long as somebody holds it back",
        [(BOUND, "    guard log.pinnedBytes > limit else {", "    guard log.pinnedBytes > limit, limit == .max else {")]),
    Bug("broken-journal-kept", "a journal that cannot be synced is written on",
        [(DAMAGED, "    return error.isFatal || error.isOfTheDevice && !error.isUnreadable\n", "    return false\n")]),
    Bug("place-freed-twice", "a connection that both sides end at once leaves two places",
        [("Sources/Cluster/Clients/ClientTable.swift", "    guard index.removeValue(forKey: client.id) != nil else { return }\n",
          "    index[client.id] = nil\n")]),
    Bug("repeat-refused-when-short", "what was answered is not answered again while memory is short",
        [(REPLICA, "    case .stands(let position): return outbox", "    case .stands(let position) where shedding.growing == nil: return outbox"),
         (REPLICA, "    case .none: reply.error(.busy, reason)\n", "    default: reply.error(.busy, reason)\n")]),
    Bug("refund-refused-at-the-limit", "at the limit of memory every write is refused",
        [(SHEDDING, "    guard !short.isEmpty else { return nil }\n    return",
          "    guard !short.isEmpty || level == .farOver && memoryReason(replica, facts, from: .over) != nil else { return nil }\n    return")]),
    Bug("others-memory-ignored", "a leader looks at its own memory alone",
        [(SHEDDING, "peers.filter { members.contains($0.id) && memoryLevel", "peers.prefix(1).filter { members.contains($0.id) && memoryLevel")]),
    Bug("no-descriptor-is-the-end", "the log ends where it cannot open its next file",
        [(LOG, "    if error.isShortage { return error }", "    if error.kind == .noSpace { return error }")]),
    Bug("multi-lets-through", "what follows a MULTI that was refused is done",
        [(CLIENTS, "request.rule.pointee.route == .connection || client.session.isAfterMulti {", "request.rule.pointee.route == .connection {")]),

    # Traps
    Bug("deaths-not-counted", "an entry of which processes die is tried for ever",
        [(NOTE, "count: before &+ 1)", "count: 1)")]),
    # The directory
    Bug("changes-dropped-early", "changes of the catalogue are dropped when the first shard has them, not the last",
        [(SHARDS, "guard let spread = known.min() else { return }", "guard let spread = known.max() else { return }")]),
    Bug("change-ids-by-count", "request ids of changes are forgotten when there are some newer ones",
        [(CHANGES, "age > ChangeRequests.retention || items.count >= limit &&",
          "items.count > 12 || age > ChangeRequests.retention || items.count >= limit &&")]),
    # Entries applied in steps
    Bug("snapshot-within-entry", "a snapshot is taken in the midst of an entry",
        [(DRIVING, "quarantined == nil, !applying.isMidEntry, index >", "quarantined == nil, index >")]),
    Bug("snapshot-before-its-journal", "a snapshot is begun before the journal that it refers to is on its way to the disk",
        [(TURNS, "    disk.journal.write(order.shard, &turn.out)\n", "")]),
    # Snapshots of what has changed
    Bug("changes-of-a-lost-snapshot", "a snapshot has the changes since one that could not be written",
        [("Sources/Cluster/Replica/LedgerMachine.swift", "isKept: file != nil", "isKept: true")],
        tests="ClusterTests.SnapshotTurnTests"),
    Bug("texts-not-in-changes", "what was added to a page of texts is not in the changes",
        [("Sources/Ledger/Memory/PagedBlob.swift", "    table.noteChange(table.count - 1)\n", "")],
        tests="LedgerTests.MemorySnapshotTests"),
    Bug("base-removed", "what a snapshot builds on is removed",
        [("Sources/Storage/Snapshots/SnapshotStore.swift", "    needed.formUnion(try chain(of: newest).map(\\.path))\n", "")],
        tests="StorageTests.SnapshotTests"),
    # Snapshots between nodes
    Bug("slot-never-given-back", "a node waits for ever for a sender that has died",
        [("Sources/Cluster/Snapshots/SnapshotDesk+Transfers.swift", "if let shard { slots.ended(shard) } }", "}")],
        tests="ClusterTests.ManySnapshotsTests"),
    Bug("slot-kept-for-the-absent", "whoever was granted a slot and does not come keeps it",
        [("Sources/Cluster/Snapshots/SnapshotSlots.swift",
          "    granted = granted.filter { $0.value.hasArrived || !isForgotten($0.value.heardAt) }\n", "")],
        tests="ClusterTests.SnapshotSlotsTests"),
    Bug("part-of-another-resumed", "a part goes on as that of a snapshot with another digest",
        [("Sources/Storage/Snapshots/SnapshotStore.swift", "(shard, index, term))-\\(digest.hex).part", "(shard, index, term)).part")],
        tests="StorageTests.SnapshotTests"),
    Bug("a-wait-is-a-failure", "a move fails that waits for its turn",
        [("Sources/Cluster/Operations/ShardMove.swift", "if member?.copy.isWaiting == true {", "if false {")],
        tests="ClusterTests.MovePlanTests"),
    # The archive
    Bug("archived-before-compared", "a segment goes to the archive, and from the disk, before its copy was compared",
        [("Sources/Storage/Journal/JournalArchive.swift", "    try verify(seal, at: temporary)\n", "")],
        tests="StorageTests.JournalArchiveTests"),
    Bug("archive-not-compared", "another file in the archive is taken for the segment",
        [("Sources/Storage/Journal/JournalArchive.swift",
          "      try verify(seal, at: path)\n      // Who", "      // Who")],
        tests="StorageTests.JournalArchiveTests"),
    Bug("archive-not-synced", "a copy in the archive gets its name before its bytes are on disk",
        [("Sources/Storage/Journal/JournalArchive.swift", "    try file.sync()\n", "")],
        tests="StorageTests.JournalArchiveTests"),
    Bug("dropped-without-archive", "a segment goes from the disk without a copy in the archive",
        [("Sources/NodeDisk/NodeStorage+Archive.swift",
          """      try archive.store(seal, of: order.cluster) { offset, buffer throws(StorageError) in
        try journals.read(
          order.shard, at: JournalPosition(journal: order.shard, segment: seal.segment, offset: offset), into: buffer)
      }
""", "")]),
    # Backups
    Bug("restored-without-lineage", "what is restored lacks the journals of other shards that its records refer to",
        [("Sources/NodeDisk/Backup/BackupRestoring.swift",
          "journalEnd: part.journal.position, lineage: lineage))", "journalEnd: part.journal.position, lineage: []))")],
        tests="ClusterTests.SplitBackupTests"),
    Bug("pruned-before-retired", "files of a backup go while it still counts",
        [("Sources/NodeDisk/Backup/BackupPruner.swift", "    try pruner.retire()\n", "")],
        tests="ClusterTests.BackupPruneTests"),
    Bug("cut-without-coverage", "a backup has a slot twice",
        [("Sources/Cluster/Backup/BackupCut.swift",
          '    if let slot = owners.firstIndex(of: 2) { return "slot \\(slot) is in two shards" }\n', "")],
        tests="ClusterTests.BackupFormatTests"),
    Bug("frozen-one-entry-late", "one shard is frozen for a backup after the entry behind the marker",
        [(APPLYING, "machine.lastStamp >= cut { freeze(at: cut) }",
          "machine.lastStamp > cut || machine.lastStamp == cut && shard != ShardID(1) { freeze(at: cut) }"),
         ("Sources/Cluster/Backup/Replica+Backup.swift", "guard machine.lastStamp == cut, let", "guard machine.lastStamp >= cut, let")],
        tests="ClusterTests.BackupTests"),
    Bug("restored-under-other-numbers", "a restored shard has another number than its journal",
        [("Sources/Cluster/Backup/RestoredFrom.swift", "      topology.shards[place].shard = part.shard\n", "")],
        tests="ClusterTests.BackupFormatTests"),
    Bug("restore-forgets-beyond-the-cut", "what was restored takes ticks before it has proved to be the backup",
        [(SHARDS, "      guard membership.topology?.restored == nil else { continue }\n", "")],
        tests="ClusterTests.RestoreTests"),
    # Rules: a second implementation, made from the specification, sees each of these
    Bug("rule-stop-ignored", "a bonus rule that stops does not stop",
        [(RULE_STAGES, "      if records[record].stop { return }\n", "")], tests="RulesTests.OracleTests"),
    Bug("rule-cap-stop-ignored", "a cap rule that stops does not stop",
        [(RULE_STAGES, "      if records[record].stop { break }\n", "")], tests="RulesTests.OracleTests"),
    Bug("rule-floor-a-line", "points are floored a line in place of a rule",
        [(RULE_BASE, "    add(source, .base, points, record, &work, &outcome)\n",
          "    let floored = work.owners.indices.filter { work.owners[$0] == owner }.reduce(Int64(0)) { all, place in\n"
          "      all + (record.map { quotient(line(place).amount, records[$0].amount, records[$0].denominator) ?? 0 }\n"
          "        ?? terms.rate.floor(of: line(place).amount) ?? 0)\n    }\n"
          "    add(source, .base, floored, record, &work, &outcome)\n"),
         (RULE_BASE, "    divide(points, by: work.weights", "    divide(floored, by: work.weights")],
        tests="RulesTests.OracleTests"),
    Bug("rule-factors-multiply", "factors multiply where the greatest is to count",
        [(RULE_TIMES, "case .max: try addGreatest(", "case .max: try addProduct(")], tests="RulesTests.OracleTests"),
    Bug("rule-product-floored-twice", "a product of factors is floored after each factor",
        [(RULE_TIMES, "    for at in candidates {\n      guard var one = factor(at, facts, &work) else { continue }\n      guard product",
          "    for at in candidates {\n      guard var one = factor(at, facts, &work) else { continue }\n"
          "      let base = before\n      product = FactorProduct()\n      guard product")],
        tests="RulesTests.OracleTests"),
    Bug("rule-of-predecessor", "a version still holds at the moment at which the next begins",
        [(RULE_FIND, "moment < records[record].until", "moment <= records[record].until")], tests="RulesTests.OracleTests"),
    Bug("rule-budget-before-caps", "budgets pay for points that caps cut",
        [(RULE_STAGES, "    applyCaps(stages.cap, facts, terms, books, &work, &outcome)\n    draw(facts, books, &work, &outcome)\n",
          "    draw(facts, books, &work, &outcome)\n    applyCaps(stages.cap, facts, terms, books, &work, &outcome)\n")],
        tests="RulesTests.OracleTests"),
    Bug("rule-cap-counts-uncut", "a cap counts what another cap cut",
        [(RULE_STAGES, "outcome.counts[at].credited = outcome.points", "outcome.counts[at].credited = worth")],
        tests="RulesTests.OracleTests"),
    Bug("rule-cut-begins-with-base", "a cap cuts base before bonus",
        [(RULE_WORK, "    var at = parts.count\n    while rest > 0, at > 0 {\n      at -= 1\n",
          "    var at = -1\n    while rest > 0, at + 1 < parts.count {\n      at += 1\n")],
        tests="RulesTests.OracleTests"),
    Bug("rule-every-line", "a condition of a sale is true if all lines meet it",
        [(RULE_CONDITIONS, "      if holds(record, facts, &work) { return true }\n    }\n    return false",
          "      if !holds(record, facts, &work) { return false }\n    }\n    return true")],
        tests="RulesTests.OracleTests"),
    Bug("rule-unknown-differs", "an unknown fact is another than any word",
        [(RULE_CONDITIONS, "return word != .unknown && word.stored", "return word.stored")], tests="RulesTests.OracleTests"),
    Bug("rule-demand-of-either", "what one side of an `or` demands is demanded of all",
        [("Sources/Rules/Conditions/Condition.swift",
          "            last.first { $0.subject == demand.subject }.map { (demand.subject, demand.words + $0.words) }\n",
          "            last.first { $0.subject == demand.subject }.map { (demand.subject, demand.words + $0.words) } ?? demand\n")],
        tests="RulesTests.OracleTests"),
    Bug("rule-draws-alone", "two rules draw on one budget as if each were alone",
        [(RULE_STAGES, "outcome.draws.reduce(0) { $0 + ($1.budget == budget ? $1.granted : 0) }", "Int64(0)")],
        tests="RulesTests.OracleTests"),
    Bug("rule-ties-go-last", "of equal remainders the last line gets the point",
        [("Sources/Rules/Evaluation/Division.swift", "where remainders[at].rest > remainders[best].rest", "where remainders[at].rest >= remainders[best].rest")],
        tests="RulesTests.OracleTests"),
    Bug("rule-window-by-utc", "a cap's day begins at 00:00 UTC, not in the program's zone",
        [("Sources/Rules/Evaluation/Facts.swift", "CivilTime.day(of: moment, offset: offset)", "CivilTime.day(of: moment, offset: 0)")],
        tests="RulesTests.OracleTests"),
    Bug("return-not-cumulative", "each return is floored by itself, so that the whole takes less",
        [(SALE_RETURN, "return take(upTo: share(points, returned, spend))", "return take(upTo: taken + share(points, amount, spend))")],
        tests="RulesTests.OracleTests"),
    Bug("return-by-line-beyond-the-whole", "returns by line after returns of money take more than was given",
        [(SALE_RETURN, "min(points, taken + due)", "taken + due")], tests="RulesTests.OracleTests"),
    Bug("pending-lot-spent", "points become active with the member's next request",
        [("Sources/Ledger/Books/Ledger+Pending.swift", "if record.pointee.isPending, record.pointee.due(offset: offset) <= now {",
          "if record.pointee.isPending {")]),
    Bug("query-of-earlier-epoch", "a query's answer counts of whatever epoch",
        [(STREAM, "return answered == EdgeStream.named(sequence, items[sequence].epochs) ? sequence : nil", "return sequence")]),
    # Tiers
    Bug("tier-ends-twice", "a period's end takes a member down twice",
        [(TIER_STANDING, "      let after = ladder.place(after: before, figure: figure(closed.start))\n",
          "      let once = ladder.place(after: before, figure: figure(closed.start))\n"
          "      let after = ladder.place(after: once, figure: figure(closed.start))\n")],
        tests="LedgerTests.TierTests"),
    Bug("tier-gift-again", "who reaches a tier again in a period is given its gift again",
        [(TIERS, "rung.gift > 0, !done.contains(.gift), give(", "rung.gift > 0, give(")],
        tests="LedgerTests.TierTests"),
    Bug("tier-survives-return", "a return does not undo the upgrade that the purchase led to",
        [(TIERS, "    if start == walk.period.start { walk.take(", "    if false { walk.take(")],
        tests="LedgerTests.TierTests"),
    Bug("tier-sweep-skips", "the sweep of a period's end skips the member behind the cursor",
        [(TIER_ENDS, "tierDues.cursor += 1", "tierDues.cursor += 2")],
        tests="LedgerTests.TierTests"),
    Bug("tier-late-lowers", "a late sale of a period that is over moves the member as one of the present period",
        [(TIER_STANDING, "    if period == self.period {\n", "    if true {\n")], tests="LedgerTests.TierTests"),
    Bug("tier-dues-stay", "the ends of periods of members who go to another shard stay counted in the first",
        [("Sources/Ledger/Slots/Kinds/FileContent.swift", "    ledger.noteTierDues(ofFile: place, -1)\n", "")],
        tests="LedgerTests.ProgrammeTests"),
    Bug("birthday-lost-at-change", "a member who leaves the list of a birthday while it is gone over takes the rest along",
        [("Sources/Ledger/Tiers/Birthdays.swift", "pointee.next = file.nextBorn\n      }\n",
          "pointee.next = .none\n      }\n")], tests="LedgerTests.TierTests"),
    Bug("quota-lease-paid-twice", "what a quota's home grants is leased twice",
        [(QUOTA_STEP, "      $0.amount += content.points\n      $0.granted = content.points",
          "      $0.amount += 2 * content.points\n      $0.granted = content.points")],
        tests="LedgerTests.QuotaTests"),
    Bug("quota-recalled-lease-drawn", "a lease that was recalled is still drawn from",
        [(QUOTA_STEP, "if own != .none, points > 0 { change(own) { $0.amount = 0 } }", "_ = own")],
        tests="LedgerTests.QuotaTests"),
    Bug("quota-return-to-another-period", "a return gives back to the period that it is booked in",
        [("Sources/Ledger/Quotas/Ledger+Campaigns.swift", "if let period = draw.period { giveBack(back, to: period, near: t.id.slot) }",
          "if let old = draw.period, let period = catalogue.period(ofQuota: old.quota, day: CivilTime.day(of: now, offset: 0)) {"
          " giveBack(back, to: period, near: t.id.slot) }")],
        tests="LedgerTests.QuotaTests"),
    Bug("quota-stale-grant", "a final grant is taken for true of requests that came after it was asked for",
        [(QUOTAS, "let next = TransactionID(rawValue: ask.rawValue + 1)", "let next = ask")],
        tests="LedgerTests.QuotaTests"),
    Bug("quota-falls-and-is-drawn", "leases are drawn on though the limit has fallen below what is used",
        [(QUOTAS, "isActive && lease.pointee.isShut == 0 ?", "isActive ?")],
        tests="LedgerTests.QuotaTests"),
    Bug("cap-forgets-returns", "a return gives no room back to the cap that its purchase counted in",
        [("Sources/Ledger/Earning/Ledger+Counts.swift", "count(0 - min(points.rawValue, counter(member, key)), of: member, key)",
          "count(0 * min(points.rawValue, counter(member, key)), of: member, key)")],
        tests="LedgerTests.QuotaTests"),
    Bug("merge-part-doubled", "a part of a merge that comes again is taken in again",
        [(DELIVERIES, "if let number = findInbox(from, step) {\n      newDeliveries.append(verdict",
          "if kind != MergeStep.Kind.carry.rawValue, let number = findInbox(from, step) {\n      newDeliveries.append(verdict"),
         (DELIVERIES, "if hasSeen(key) { return .silent }",
          "if kind != MergeStep.Kind.carry.rawValue, hasSeen(key) { return .silent }")],
        tests="LedgerTests.MemberMergeTests"),
    Bug("merge-loses-hold", "what was held of a member is available once it is merged",
        [("Sources/Ledger/Merging/Ledger+PutIn.swift",
          "        twins.append(hold.id.rawValue)\n        twins.append(put(hold, holder, head).rawValue)\n",
          "        for take in hold.takes { put(take, isPending: false, holder) }\n")],
        tests="LedgerTests.MemberMergeTests"),
    Bug("merge-forgets-counters", "what a member has earned in a window does not count once it is merged",
        [("Sources/Ledger/Merging/Ledger+TakeOut.swift", "      parts.add(.counter(key, value))\n", "")],
        tests="LedgerTests.MemberMergeTests"),
    Bug("pool-booked-at-both", "a purchase of a member in a pool is booked at the member, too",
        [("Sources/Ledger/Commands/Points/Earn.swift",
          "{ return earnIntoPool(pool, ask, source) }", "{ _ = earnIntoPool(pool, ask, source) }")],
        tests="LedgerTests.PoolTests"),
    Bug("pool-movements-race", "a member's movements go to the pool together, and come there in any order",
        [("Sources/Ledger/Pools/Ledger+Pools.swift", "    guard open != .none else { return }\n    deferral =",
          "    guard false else { return }\n    deferral =")], tests="LedgerTests.PoolTests"),
    Bug("order-behind-a-wait", "what was proposed behind a request that waits for a quota overtakes it",
        [(APPLY, "if !paused.isEmpty, isPaused(", "if false, isPaused(")], tests="LedgerTests.QuotaTests"),
    Bug("order-waits-to-come-back", "a request that waited goes on before what was under way behind it has come back",
        [("Sources/Cluster/Replica/Leading/DeferredRequests.swift", "!queue.isPaused, queue.awaited.isEmpty",
          "queue.awaited.isEmpty")], tests="ClusterTests.DeferredRequestsTests"),
    Bug("quota-raised-is-cut", "an event that the product raises is cut where its shard has no lease yet",
        [("Sources/Ledger/Commands/Points/Event.swift", "if !open.isEmpty, asks.count", "if false, asks.count")],
        tests="LedgerTests.QuotaTests"),
    Bug("quota-split-doubles-lease", "a lease that goes with its slot stays with the shard that gave it, too",
        [("Sources/Ledger/Slots/Kinds/QuotaContent.swift",
          "static func remove(_ place: Ref<LeaseRecord>, of ledger: inout Ledger) { ledger.remove(place) }",
          "static func remove(_ place: Ref<LeaseRecord>, of ledger: inout Ledger) {}")], tests="LedgerTests.QuotaTests"),
    # Tiers in simulated lives
    Bug("tier-end-before-its-day", "a period's end is gone over with the one before it, and so twice",
        [(TIERS, "    walk.goOn(to: day) { start in", "    walk.goOn(to: Int64(walk.period(of: day).end)) { start in")]),
    Bug("tier-gift-not-noted", "who has had the gift of a tier has it again as soon as it is reached again",
        [(TIERS, "leaving: points) { new.insert(.gift) }", "leaving: points) { new.insert([]) }")]),
    Bug("pool-gift-twice", "a tier's gift is given by the pool, and once more when the member's slot hears of it",
        [(POOL_TIERS, "    guard seen.gift > 0, !Welcome(", "    guard seen.gift < 0, !Welcome(")]),
    Bug("pool-qualifies-nobody", "what is earned into a pool counts for no tier",
        [(POOL_TIERS, "    guard seen.amount > 0, let holder = holder(member, content.program, create: true) else { return }\n",
          "    guard seen.amount < 0, let holder = holder(member, content.program, create: true) else { return }\n")]),
    Bug("pool-return-keeps-qualifying", "a return of what was earned into a pool takes nothing from what the member qualified by",
        [("Sources/Ledger/Pools/Ledger+Pools.swift", "back: isForTiers ? back : nil)", "back: nil)")]),
    Bug("return-keeps-qualifying", "a return in the period takes nothing from what the member qualified by",
        [(TIERS, "    count(0 - min(kept, amount), of: holder.number, key)\n", "")]),
    Bug("merge-doubles-qualifying", "what a member qualified by counts twice once it is merged",
        [("Sources/Ledger/Merging/Ledger+PutIn.swift", ".campaign, nil: count(value, of: member, key)",
          ".campaign, nil:\n      count(key.kind == CounterKey.Kind.qualifying.rawValue ? 2 * value : value, of: member, key)")]),
    Bug("activity-forgets-redeem", "points that end with activity do not hear of a redemption",
        [("Sources/Ledger/Commands/Points/Redeem.swift", "    noteActivity(holder)\n", "")]),
]
