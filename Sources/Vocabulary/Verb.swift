/// What a request asks for. The raw value stands in logs and enters fingerprints: never change one, only add. What a verb is,
/// its row says: see `Verbs/`.
public enum Verb: UInt16, CaseIterable, Sendable, BitwiseCopyable {
  case earn = 1
  case redeem = 2
  case hold = 3
  case capture = 4
  case release = 5
  case refund = 6
  case transfer = 7
  case balance = 8
  case history = 9
  case transactionShow = 10
  case memberAdd = 11
  case memberShow = 12
  case memberFreeze = 13
  case memberThaw = 14
  case memberClose = 15
  case cardAdd = 17
  case cardLost = 18
  case cardFound = 19
  case cardRemove = 20
  // Of every kind of entry: see `EntryKind`.
  case entrySet = 21
  case entryShow = 22
  case entryList = 23
  case entryHistory = 24
  case audit = 25
  case clusterInit = 26
  case clusterNodes = 27
  case clusterShards = 28
  case clusterStatus = 29
  case health = 30
  case clusterAlarm = 40
  case clusterShard = 41
  case clusterOperation = 42
  case memberNote = 43
  case memberNotes = 44
  case clusterNode = 45
  case clusterUpgrade = 46
  case clusterLimit = 50
  case clusterBackup = 55
  case clusterRebalance = 60
  case clusterPlacement = 61
  case clusterCheck = 62
  case clusterUnsafe = 63

  // What a connection says about itself: answered by the node at hand.
  case hello = 64
  case auth = 65
  case clientSetInfo = 66
  case clientSetName = 67
  case clientGetName = 68
  case clientID = 69
  case clientList = 70
  case clientInfo = 71
  case command = 72
  case commandDocs = 73
  case commandCount = 74
  case commandInfo = 75
  case commandList = 76
  case configGet = 77
  case ping = 78
  case echo = 79
  case select = 80
  case info = 81
  case time = 82
  case quit = 83
  case help = 84
  case reset = 85
  // There are no transactions: what follows MULTI is refused.
  case multi = 86
  case exec = 87
  case discard = 88
  case watch = 89
  case unwatch = 90
  case usage = 91

  case memberSet = 100
  case memberTag = 101
  case memberUntag = 102
  case extend = 103

  case event = 110
  case simulateEarn = 111
  case simulateEvent = 112
  case explain = 113
  case explainEarn = 114
  case aliasAdd = 120
  case aliasLost = 121
  case aliasFound = 122
  case aliasRemove = 123
  case cardReplace = 124
  case memberErase = 125
  case memberFind = 126
  // What nodes ask for it: see `Verbs/Inner.swift`.
  case memberPage = 127

  case memberTier = 130
  case due = 131
  case campaignReport = 140
  case jobStart = 141
  case jobShow = 142
  case extendAll = 143
  case memberMerge = 150
  case poolAdd = 151
  case configSet = 160
  case adjust = 161
  case ruleApprove = 162
  case campaignApprove = 163
  case caseApprove = 164
  case caseReject = 165
  case caseOpen = 166
  case caseShow = 167
  case caseList = 168
  case caseNote = 169

  // What no terminal says: see `Verbs/Inner.swift`.
  case catalogue = 200
  case tick = 201
  case marker = 202
  case delivery = 203
  case verdict = 204
  case acknowledged = 205
  case birth = 206
  case export = 207
  case `import` = 208
  case imported = 209
  case memberMint = 210
  case cardHolders = 220
  case requestSeen = 221
  case facts = 222
  case resume = 230

  case userSet = 300
  case userShow = 301
  case userList = 302
  case whoAmI = 303
  case tenantSet = 304
  case tenantList = 305
  case tenantUse = 306
  case trail = 307
  case clientNoEvict = 320
  case clientNoTouch = 321
  case clientReply = 322
  case feed = 350
  case feedPage = 360
  case text = 370
  case report = 380
  case reportPage = 381

  /// Its row; of entries, that of the first kind. Not for the hot path, which has `VerbRules`.
  public var spec: VerbSpec { VerbSpec.table[VerbSpec.position[Int(rawValue)]] }

  /// It asks what another would do, at the moment at which it is asked.
  public var asksWhatIf: Bool { self == .simulateEarn || self == .simulateEvent || self == .explainEarn }

  /// Its words in capitals, as a person types them: `MEMBER ADD`.
  public var words: String { spec.words.joined(separator: " ") }
}
