extension VerbSpec {
  static let connection: [VerbSpec] = [
    .init(
      .help, "HELP", [.free("VERB|errors|values|ids", .optional)], traits: [.costly, .reserved], roles: .anybody,
      reply: "lines of text",
      summary: "This list, or one verb in detail, or what errors, values and request ids are.", example: "HELP EARN"),
    // The same under a name that redis-cli does not keep for itself.
    .init(
      .usage, "USAGE", [.free("VERB|errors|values|ids", .optional)], traits: [.costly, .reserved],
      roles: .anybody, reply: "lines of text", summary: "What HELP says: redis-cli keeps HELP for itself.",
      example: "USAGE EARN"),
    .init(
      .ping, "PING", [.free("TEXT", .optional)], atMost: 1, traits: .reserved, roles: .anybody,
      reply: "+PONG, or the text",
      summary: "PONG.", example: "PING"),
    .init(
      .echo, "ECHO", [.free("TEXT")], atMost: 1, roles: .anybody, reply: "the text", summary: "The text again.",
      example: "ECHO hello"),
    .init(
      .hello, "HELLO",
      [.free("2|3", .optional), .free("AUTH user secret", .optional), .free("SETNAME name", .optional)],
      traits: .reserved, roles: .anybody, reply: "a map", summary: "Chooses RESP2 or RESP3: records are maps in RESP3.",
      example: "HELLO 3"),
    .init(
      .auth, "AUTH", [.free("[user] secret")], traits: .reserved, roles: .anybody, reply: "+OK", summary: "Signs in.",
      example: "AUTH till-7 secret"),
    .init(
      .clientSetName, "CLIENT SETNAME", [.free("name")], atMost: 1, traits: .reserved, roles: .anybody, reply: "+OK",
      summary: "Names the connection.", example: "CLIENT SETNAME till-7"),
    .init(
      .clientGetName, "CLIENT GETNAME", atMost: 0, roles: .anybody, reply: "the name",
      summary: "The connection's name.",
      example: "CLIENT GETNAME"),
    .init(
      .clientSetInfo, "CLIENT SETINFO", [.free("LIB-NAME|LIB-VER"), .free("text")], atMost: 2, traits: .reserved,
      roles: .anybody, reply: "+OK", summary: "Tells what library is speaking.",
      example: "CLIENT SETINFO LIB-NAME tills"),
    .init(
      .clientID, "CLIENT ID", atMost: 0, traits: .reserved, roles: .anybody, reply: "a number",
      summary: "The connection's number.",
      example: "CLIENT ID"),
    .init(
      .clientInfo, "CLIENT INFO", atMost: 0, reply: "a line", summary: "This connection, in one line.",
      example: "CLIENT INFO"),
    .init(
      .clientList, "CLIENT LIST", traits: [.costly, .reserved], reply: "lines",
      summary: "The connections of this node, a line each.", example: "CLIENT LIST"),
    .init(
      .clientNoEvict, "CLIENT NO-EVICT", [.free("ON|OFF")], atMost: 1, traits: .reserved, roles: .anybody, reply: "+OK",
      summary: "OK, for client libraries: nothing is evicted.", example: "CLIENT NO-EVICT ON"),
    .init(
      .clientNoTouch, "CLIENT NO-TOUCH", [.free("ON|OFF")], atMost: 1, traits: .reserved, roles: .anybody, reply: "+OK",
      summary: "OK, for client libraries: nothing is touched.", example: "CLIENT NO-TOUCH ON"),
    .init(
      .clientReply, "CLIENT REPLY", [.free("BULK|ON")], atMost: 1, traits: .reserved, roles: .anybody, reply: "+OK",
      summary: "Chooses how RESP2 has records: as bulk strings, for libraries that take +lines for OK, or as lines.",
      example: "CLIENT REPLY BULK"),
    .init(
      .command, "COMMAND", traits: [.costly, .reserved], roles: .anybody, reply: "the commands",
      summary: "The verbs, for client libraries.", example: "COMMAND"),
    .init(
      .commandDocs, "COMMAND DOCS", [.free("VERB", .optional)], traits: [.costly, .reserved], roles: .anybody,
      reply: "the commands",
      summary: "What the verbs do, for client libraries.", example: "COMMAND DOCS EARN"),
    .init(
      .commandCount, "COMMAND COUNT", atMost: 0, roles: .anybody, reply: "a number",
      summary: "How many verbs there are.",
      example: "COMMAND COUNT"),
    .init(
      .commandInfo, "COMMAND INFO", [.free("VERB", .optional)], traits: .costly, roles: .anybody, reply: "the commands",
      summary: "COMMAND for the verbs named.", example: "COMMAND INFO EARN"),
    .init(
      .commandList, "COMMAND LIST", roles: .anybody, reply: "names", summary: "The verbs' names.",
      example: "COMMAND LIST"),
    .init(
      .configGet, "CONFIG GET", [.free("PATTERN")], atMost: 1, roles: [.admins, .operators, .auditors],
      reply: "a map of settings and their values",
      summary: "This node's settings; * stands for any letters.", example: "CONFIG GET log-*"),
    .init(
      .select, "SELECT", [.free("0")], atMost: 1, traits: .reserved, roles: .anybody, reply: "+OK",
      summary: "There is one database, 0.",
      example: "SELECT 0"),
    .init(
      .info, "INFO", [.free("section", .optional)], traits: [.costly, .reserved], reply: "sections of lines",
      summary: "This node, in sections of name:value lines.", example: "INFO server"),
    .init(
      .time, "TIME", atMost: 0, reply: "seconds and microseconds",
      summary: "This node's clock: seconds, and microseconds in the second.", example: "TIME"),
    .init(
      .reset, "RESET", atMost: 0, traits: .reserved, roles: .anybody, reply: "+RESET",
      summary: "Back to RESP2, unnamed and signed out.",
      example: "RESET"),
    .init(
      .multi, "MULTI", traits: .reserved, reply: "-ERR",
      summary: "Refused, and with it all up to EXEC or DISCARD: there are no transactions; send a pipeline.",
      example: "MULTI"),
    .init(
      .exec, "EXEC", traits: .reserved, reply: "-EXECABORT", summary: "Ends what MULTI began: nothing was done.",
      example: "EXEC"),
    .init(
      .discard, "DISCARD", traits: .reserved, reply: "+OK", summary: "Ends what MULTI began: nothing was done.",
      example: "DISCARD"),
    .init(
      .watch, "WATCH", [.free("name", .optional)], reply: "-ERR",
      summary: "Refused: there are no transactions; send a pipeline.", example: "WATCH name"),
    .init(.unwatch, "UNWATCH", reply: "+OK", summary: "OK: nothing is ever watched.", example: "UNWATCH"),
    .init(
      .quit, "QUIT", traits: .reserved, roles: .anybody, reply: "+OK", summary: "OK, and the connection is closed.",
      example: "QUIT"),
  ]
}
