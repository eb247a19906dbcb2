extension VerbSpec {
  static let setup: [VerbSpec] = [
    .init(
      .programSet, "PROGRAM SET", .setup,
      [
        .name, .optional(.kind), .optional(.title), .optional(.earn), .optional(.expire), .optional(.backdate),
        .optional(.utcOffset), .optional(.refundWindow), .optional(.default), .optional(.id),
      ], .directory, .changes, traits: .barrier, reply: "+OK",
      summary: "Makes or changes a program; keys left out keep their value, and a new one has kind=points earn=1/100"
        + " (kind=money: earn=0/1) expire=never backdate=3d utc-offset=+00:00 refund-window=180d. default=yes makes it the"
        + " one that is meant where none is named; until then that is the first.",
      example: "PROGRAM SET gold earn=1/100 expire=12m"),
    .init(
      .programList, "PROGRAM LIST", .setup, [.optional(.limit, standard: 1_000), .optional(.after), .optional(.read)],
      .directory, .read, traits: .barrier,
      reply: "records: program kind earn expire title backdate utc-offset refund-window default [asof]",
      summary: "The programs and their rules, by name: 1000 unless limit= says how many; after= goes on behind a name.",
      example: "PROGRAM LIST"),
    .init(
      .merchantSet, "MERCHANT SET", .setup,
      [
        .name, .optional(.title), .optional(.program), .optional(.earn), .optional(.region), .optional(.state),
        .optional(.id),
      ], .directory, .changes, traits: .barrier, reply: "+OK",
      summary: "Makes or changes a merchant; keys left out keep their value, and a new one is active and earns by its"
        + " program.",
      example: "MERCHANT SET shop program=gold"),
    .init(
      .merchantList, "MERCHANT LIST", .setup,
      [.optional(.limit, standard: 1_000), .optional(.after), .optional(.read)], .directory, .read, traits: .barrier,
      reply: "records: merchant program earn region state title [asof]",
      summary: "The merchants, by name: 1000 unless limit= says how many; after= goes on behind a name.",
      example: "MERCHANT LIST limit=100 after=shop"),
  ]
}
