extension VerbSpec {
  /// Every verb, in the order in which `HELP` teaches them.
  public static let all: [VerbSpec] = points + reading + members + setup + cluster + connection

  private static let points: [VerbSpec] = [
    .init(
      .earn, "EARN", .points, [.who], required: [.merchant, .id], oneOf: [.spend, .points], optional: [.program, .at],
      summary: "Gives a member points for a purchase, by the program's rule or as many as said.",
      example: "EARN ann merchant=shop spend=1250 id=r-1"),
    .init(
      .redeem, "REDEEM", .points, [.who], required: [.merchant, .points, .id], optional: [.program],
      summary: "Spends a member's points.", example: "REDEEM ann merchant=shop points=10 id=r-2"),
    .init(
      .hold, "HOLD", .points, [.who], required: [.merchant, .points, .id], optional: [.ttl, .program],
      summary: "Sets points aside for 900 seconds, or ttl=, until CAPTURE or RELEASE.",
      example: "HOLD ann merchant=shop points=10 id=r-3 ttl=60"),
    .init(
      .capture, "CAPTURE", .points, [.transaction], required: [.id], optional: [.points],
      summary: "Spends what a hold has set aside, or a part of it.", example: "CAPTURE 3-1042 id=r-4"),
    .init(
      .release, "RELEASE", .points, [.transaction], required: [.id],
      summary: "Gives back what a hold has set aside.", example: "RELEASE 3-1042 id=r-5"),
    .init(
      .refund, "REFUND", .points, [.transaction], required: [.id], atMostOne: [.spend, .points],
      summary: "Undoes an earn, redeem or capture, in whole or in part.", example: "REFUND 3-1042 id=r-6 spend=500"),
    .init(
      .transfer, "TRANSFER", .points, [.from, .to], required: [.points, .id], optional: [.program],
      summary: "Gives points from one member to another.", example: "TRANSFER ann bob points=5 id=r-7"),
  ]

  private static let reading: [VerbSpec] = [
    .init(
      .balance, "BALANCE", .reading, [.who], optional: [.program, .read],
      summary: "A member's points: balance, held, available, debt, and what expires next.", example: "BALANCE ann"),
    .init(
      .history, "HISTORY", .reading, [.who], optional: [.program, .limit, .before, .read],
      summary: "A member's transactions, newest first.", example: "HISTORY ann limit=10"),
    .init(
      .transactionShow, "TX SHOW", .reading, [.transaction], optional: [.read], summary: "One transaction.",
      example: "TX SHOW 3-1042"),
    .init(
      .audit, "AUDIT", .reading, optional: [.read],
      summary: "The books of every shard at one stamp, then their total with balanced=yes or no.", example: "AUDIT"),
  ]

  private static let members: [VerbSpec] = [
    .init(
      .memberAdd, "MEMBER ADD", .members, [.id], optional: [.name, .region, .card, .id],
      summary: "Makes a member; the same again is OK.", example: "MEMBER ADD ann name=\"Ann Lee\" card=5001"),
    .init(
      .memberShow, "MEMBER SHOW", .members, [.who], optional: [.read], summary: "A member's file.",
      example: "MEMBER SHOW ann"),
    .init(
      .memberFreeze, "MEMBER FREEZE", .members, [.who], optional: [.id], summary: "Stops a member until THAW.",
      example: "MEMBER FREEZE ann"),
    .init(
      .memberThaw, "MEMBER THAW", .members, [.who], optional: [.id], summary: "Lets a frozen member go on.",
      example: "MEMBER THAW ann"),
    .init(
      .memberClose, "MEMBER CLOSE", .members, [.who], optional: [.id],
      summary: "Ends a membership: holds are released, what is left lapses.", example: "MEMBER CLOSE ann"),
    .init(
      .cardAdd, "CARD ADD", .members, [.number], required: [.member], optional: [.id],
      summary: "Binds a card to a member.",
      example: "CARD ADD 5001 member=ann"),
    .init(
      .cardLost, "CARD LOST", .members, [.number], optional: [.id], summary: "Stops a card until FOUND.",
      example: "CARD LOST 5001"),
    .init(
      .cardFound, "CARD FOUND", .members, [.number], optional: [.id], summary: "Lets a lost card work again.",
      example: "CARD FOUND 5001"),
    .init(
      .cardRemove, "CARD REMOVE", .members, [.number], optional: [.id], summary: "Unbinds a card from its member.",
      example: "CARD REMOVE 5001"),
  ]

  private static let setup: [VerbSpec] = [
    .init(
      .programSet, "PROGRAM SET", .setup, [.name],
      optional: [.kind, .title, .earn, .expire, .backdate, .utcOffset, .refundWindow, .default, .id],
      summary: "Makes or changes a program; keys left out keep their value, and a new one has kind=points earn=1/100"
        + " (kind=money: earn=0/1) expire=never backdate=3d utc-offset=+00:00 refund-window=180d. default=yes makes it the"
        + " one that is meant where none is named; until then that is the first.",
      example: "PROGRAM SET gold earn=1/100 expire=12m"),
    .init(
      .programList, "PROGRAM LIST", .setup, optional: [.limit, .after, .read],
      summary: "The programs and their rules, by name: 1000 unless limit= says how many; after= goes on behind a name.",
      example: "PROGRAM LIST"),
    .init(
      .merchantSet, "MERCHANT SET", .setup, [.name], optional: [.title, .program, .earn, .region, .state, .id],
      summary: "Makes or changes a merchant; keys left out keep their value, and a new one is active and earns by its"
        + " program.",
      example: "MERCHANT SET shop program=gold"),
    .init(
      .merchantList, "MERCHANT LIST", .setup, optional: [.limit, .after, .read],
      summary: "The merchants, by name: 1000 unless limit= says how many; after= goes on behind a name.",
      example: "MERCHANT LIST limit=100 after=shop"),
  ]

  private static let cluster: [VerbSpec] = [
    .init(
      .clusterInit, "CLUSTER INIT", .cluster, optional: [.shards, .replicas, .allowSingleRegion, .dryRun],
      summary: "Once: makes a cluster of the nodes that have found each other; dry-run=yes only says which.",
      example: "CLUSTER INIT shards=12 replicas=3"),
    .init(.clusterNodes, "CLUSTER NODES", .cluster, summary: "The nodes, a record each.", example: "CLUSTER NODES"),
    .init(.clusterShards, "CLUSTER SHARDS", .cluster, summary: "The shards, a record each.", example: "CLUSTER SHARDS"),
    .init(.clusterStatus, "CLUSTER STATUS", .cluster, summary: "The cluster in one record.", example: "CLUSTER STATUS"),
    .init(
      .clusterAlarm, "CLUSTER ALARM", .cluster, [.name("LIST|CLEAR"), .name("NAME")], requiredPositionals: 1,
      optional: [.shard], summary: "The nodes that have an alarm, a record each; or tries a POISON entry again once.",
      example: "CLUSTER ALARM CLEAR POISON shard=3"),
    .init(
      .health, "HEALTH", .cluster,
      summary: "Commits an entry in every shard led by this node, and tells how long it took.",
      example: "HEALTH"),
  ]

  private static let connection: [VerbSpec] = [
    .init(
      .help, "HELP", .connection, [.free("VERB")], requiredPositionals: 0, free: true,
      summary: "This list, or one verb in detail.", example: "HELP EARN"),
    .init(
      .ping, "PING", .connection, [.free("TEXT")], requiredPositionals: 0, free: true, atMost: 1, summary: "PONG.",
      example: "PING"
    ),
    .init(
      .echo, "ECHO", .connection, [.free("TEXT")], free: true, atMost: 1, summary: "The text again.",
      example: "ECHO hello"),
    .init(
      .hello, "HELLO", .connection, [.free("2|3"), .free("AUTH user secret"), .free("SETNAME name")],
      requiredPositionals: 0, free: true, summary: "Chooses RESP2 or RESP3: records are maps in RESP3.",
      example: "HELLO 3"),
    .init(
      .auth, "AUTH", .connection, [.free("[user] secret")], free: true,
      summary: "Signs in.",
      example: "AUTH till-7 secret"),
    .init(
      .clientSetName, "CLIENT SETNAME", .connection, [.free("name")], free: true, atMost: 1,
      summary: "Names the connection.",
      example: "CLIENT SETNAME till-7"),
    .init(
      .clientGetName, "CLIENT GETNAME", .connection, free: true, atMost: 0, summary: "The connection's name.",
      example: "CLIENT GETNAME"),
    .init(
      .clientSetInfo, "CLIENT SETINFO", .connection, [.free("LIB-NAME|LIB-VER"), .free("text")], free: true, atMost: 2,
      summary: "Tells what library is speaking.", example: "CLIENT SETINFO LIB-NAME tills"),
    .init(
      .clientID, "CLIENT ID", .connection, free: true, atMost: 0, summary: "The connection's number.",
      example: "CLIENT ID"),
    .init(
      .clientInfo, "CLIENT INFO", .connection, free: true, atMost: 0, summary: "This connection, in one line.",
      example: "CLIENT INFO"),
    .init(
      .clientList, "CLIENT LIST", .connection, free: true, summary: "The connections of this node, a line each.",
      example: "CLIENT LIST"),
    .init(
      .command, "COMMAND", .connection, free: true, summary: "The verbs, for client libraries.", example: "COMMAND"),
    .init(
      .commandDocs, "COMMAND DOCS", .connection, [.free("VERB")], requiredPositionals: 0, free: true,
      summary: "What the verbs do, for client libraries.", example: "COMMAND DOCS EARN"),
    .init(
      .commandCount, "COMMAND COUNT", .connection, free: true, atMost: 0, summary: "How many verbs there are.",
      example: "COMMAND COUNT"),
    .init(
      .commandInfo, "COMMAND INFO", .connection, [.free("VERB")], requiredPositionals: 0, free: true,
      summary: "COMMAND for the verbs named.", example: "COMMAND INFO EARN"),
    .init(.commandList, "COMMAND LIST", .connection, free: true, summary: "The verbs' names.", example: "COMMAND LIST"),
    .init(
      .configGet, "CONFIG GET", .connection, [.free("name")], free: true,
      summary: "An empty list: for benchmark tools that ask.", example: "CONFIG GET save"),
    .init(
      .select, "SELECT", .connection, [.free("0")], free: true, atMost: 1, summary: "There is one database, 0.",
      example: "SELECT 0"),
    .init(
      .info, "INFO", .connection, [.free("section")], requiredPositionals: 0, free: true,
      summary: "This node, in sections of name:value lines.", example: "INFO server"),
    .init(
      .time, "TIME", .connection, free: true, atMost: 0,
      summary: "This node's clock: seconds, and microseconds in the second.",
      example: "TIME"),
    .init(
      .reset, "RESET", .connection, free: true, atMost: 0, summary: "Back to RESP2, unnamed and signed out.",
      example: "RESET"),
    .init(
      .multi, "MULTI", .connection, free: true,
      summary: "Refused, and with it all up to EXEC or DISCARD: there are no transactions; send a pipeline.",
      example: "MULTI"),
    .init(.exec, "EXEC", .connection, free: true, summary: "Ends what MULTI began: nothing was done.", example: "EXEC"),
    .init(
      .discard, "DISCARD", .connection, free: true, summary: "Ends what MULTI began: nothing was done.",
      example: "DISCARD"),
    .init(
      .watch, "WATCH", .connection, [.free("name")], requiredPositionals: 0, free: true,
      summary: "Refused: there are no transactions; send a pipeline.", example: "WATCH name"),
    .init(
      .unwatch, "UNWATCH", .connection, free: true, summary: "OK: nothing is ever watched.", example: "UNWATCH"),
    .init(.quit, "QUIT", .connection, free: true, summary: "OK, and the connection is closed.", example: "QUIT"),
  ]
}
