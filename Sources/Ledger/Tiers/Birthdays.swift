import Base
import Vocabulary

/// The members who have their birthday on a day of the year, as a list of their files: the newest first. One for each day of a month of 31.
struct BirthdayRecord: StateRecord {
  var first = Ref<FileRecord>.none

  static let count = 12 * 31
  /// Of a date; counted from 1.
  static func place(month: Int64, day: Int64) -> UInt32 { UInt32(clamping: (month - 1) * 31 + day) }

  static var tag: TableTag { TableTag(51, "birthdays", since: Semantics.programme) }
  /// It is made of files.
  static var belonging: Belonging { .owner }
  static func check(_ ledger: borrowing Ledger) throws(BrokenInvariant) {
    var listed = 0
    for place in 0..<ledger.tables.details.birthdays.count {
      var next = ledger.tables.details.birthdays.read(Ref(place: place)).pointee.first
      var previous = Ref<FileRecord>.none
      while next != .none {
        let file = ledger.tables.files.read(next).pointee
        guard file.previousBorn == previous, Int(file.born) == place + 1, file.member != .none else {
          throw BrokenInvariant(description: "a list of birthdays is broken")
        }
        listed += 1
        (previous, next) = (next, file.nextBorn)
      }
    }
    var born = 0
    FileRecord.forEach(in: ledger) { file in
      let text = ledger.file(ofMember: ledger.tables.members.read(file.pointee.member))[.birthday]
      if Ledger.birthdayPlace(text) != 0 { born += 1 }
    }
    guard born == listed else { throw BrokenInvariant(description: "\(born) birthdays, \(listed) are listed") }
  }
}

/// How far birthdays have come in a program.
struct BirthdayRun: StateRecord {
  /// The day that was begun last, since 1970 in the program's zone.
  var day: Int32 = 0
  /// Whose turn it is; none: the day is done.
  var next = Ref<FileRecord>.none

  static var tag: TableTag { TableTag(52, "runs of birthdays", since: Semantics.programme) }
  static var belonging: Belonging { .shard }
}

// At 00:00 of a day in a program's zone the event `birthday` is raised for each member who has it on that day, so many a tick. A member has it
// once a year in each program, which a counter of the member's says: so no slot that moves meanwhile has it twice, or not at all.
extension Ledger {
  static var birthday: StaticString { "birthday" }
  /// Units of a tick's work that a birthday costs.
  private static var workABirthday: Int { 256 }

  /// The list that a birthday is in; 0: it is no date.
  static func birthdayPlace(_ text: [UInt8]) -> UInt32 {
    guard let day = text.withUnsafeBytes({ MomentText.parseDate($0, earliest: 1) }) else { return 0 }
    let (_, month, dayOfMonth) = CivilTime.date(day: day)
    return BirthdayRecord.place(month: month, day: dayOfMonth)
  }
  /// Has a file in the list of its birthday, and in no other.
  mutating func setBirthday(ofFile ref: Ref<FileRecord>, _ text: [UInt8]) {
    let place = Ledger.birthdayPlace(text)
    guard tables.files.read(ref).pointee.born != place else { return }
    unlinkBirthday(ref)
    guard place != 0 else { return }
    while tables.details.birthdays.count < BirthdayRecord.count {
      _ = tables.details.birthdays.append(BirthdayRecord())
    }
    let list = Ref<BirthdayRecord>(rawValue: place)
    let first = tables.details.birthdays.read(list).pointee.first
    let file = tables.files.write(ref)
    (file.pointee.born, file.pointee.nextBorn, file.pointee.previousBorn) = (place, first, .none)
    if first != .none { tables.files.write(first).pointee.previousBorn = ref }
    tables.details.birthdays.write(list).pointee.first = ref
  }
  private mutating func unlinkBirthday(_ ref: Ref<FileRecord>) {
    let file = tables.files.read(ref).pointee
    guard file.born != 0 else { return }
    // Whose turn it would be passes it on.
    for place in 0..<tables.details.birthdayRuns.count {
      let run = Ref<BirthdayRun>(place: place)
      if tables.details.birthdayRuns.read(run).pointee.next == ref {
        tables.details.birthdayRuns.write(run).pointee.next = file.nextBorn
      }
    }
    if file.previousBorn == .none {
      tables.details.birthdays.write(Ref(rawValue: file.born)).pointee.first = file.nextBorn
    } else {
      tables.files.write(file.previousBorn).pointee.nextBorn = file.nextBorn
    }
    if file.nextBorn != .none { tables.files.write(file.nextBorn).pointee.previousBorn = file.previousBorn }
    let own = tables.files.write(ref)
    (own.pointee.born, own.pointee.nextBorn, own.pointee.previousBorn) = (0, .none, .none)
  }

  // MARK: Days

  private func today(_ program: Int) -> Int64 { CivilTime.day(of: now, offset: catalogue.programRows[program].offset) }
  private func run(_ program: Int) -> BirthdayRun? {
    guard program < tables.details.birthdayRuns.count else { return nil }
    let run = tables.details.birthdayRuns.read(Ref(place: program)).pointee
    return run.day == 0 ? nil : run
  }
  /// Programs that have rules for birthdays now, and had none, begin with the next day.
  mutating func beginBirthdays() {
    for program in catalogue.birthdayPrograms where run(program) == nil {
      while tables.details.birthdayRuns.count <= program { _ = tables.details.birthdayRuns.append(BirthdayRun()) }
      tables.details.birthdayRuns.write(Ref(place: program)).pointee.day = Int32(clamping: today(program))
    }
  }
  /// Members came from another shard: today's birthdays are gone over again, for that may not have come to theirs.
  mutating func repeatBirthdays() {
    for program in catalogue.birthdayPrograms {
      guard let known = run(program) else { continue }
      let day = min(Int64(known.day), today(program) - 1)
      tables.details.birthdayRuns.write(Ref(place: program)).pointee = BirthdayRun(day: Int32(clamping: day))
    }
  }
  /// When the next birthdays are. O(programs with rules for them).
  var nextBirthday: Stamp? {
    var moment: Stamp?
    for program in catalogue.birthdayPrograms {
      guard let run = run(program) else { continue }
      let offset = catalogue.programRows[program].offset
      let own = run.next == .none ? CivilTime.midnight(ofDay: Int64(run.day) + 1, offset: offset) : .zero
      moment = min(moment ?? .never, own)
    }
    return moment
  }

  /// Goes on over the birthdays that are due.
  mutating func sweepBirthdays(_ work: inout Int) {
    for program in catalogue.birthdayPrograms {
      let ref = Ref<BirthdayRun>(place: program)
      while work > 0, let run = run(program) {
        guard run.next != .none else {
          guard Int64(run.day) < today(program) else { break }
          work -= 1
          let day = run.day + 1
          let first = firstBorn(on: Int64(day))
          tables.details.birthdayRuns.write(ref).pointee = BirthdayRun(day: day, next: first)
          continue
        }
        work -= Ledger.workABirthday
        let file = tables.files.read(run.next).pointee
        let following = file.nextBorn == .none ? afterList(file.born, on: Int64(run.day)) : file.nextBorn
        tables.details.birthdayRuns.write(ref).pointee.next = following
        raiseBirthday(of: file.member, in: ProgramRef(place: program), on: Int64(run.day))
      }
    }
  }
  /// The first of a day's list; on 28 February of a common year, if that is empty, of the next one's.
  private func firstBorn(on day: Int64) -> Ref<FileRecord> {
    guard tables.details.birthdays.count > 0 else { return .none }
    let (_, month, dayOfMonth) = CivilTime.date(day: day)
    let place = BirthdayRecord.place(month: month, day: dayOfMonth)
    let first = tables.details.birthdays.read(Ref(rawValue: place)).pointee.first
    return first == .none ? afterList(place, on: day) : first
  }
  /// What follows a list: that of 29 February where the year has none.
  private func afterList(_ place: UInt32, on day: Int64) -> Ref<FileRecord> {
    let last = BirthdayRecord.place(month: 2, day: 28)
    let (_, month, _) = CivilTime.date(day: day + 1)
    guard place == last, month == 3 else { return .none }
    return tables.details.birthdays.read(Ref(rawValue: last + 1)).pointee.first
  }
  private mutating func raiseBirthday(of member: Ref<MemberRecord>, in program: ProgramRef, on day: Int64) {
    let record = tables.members.read(member).pointee
    let moment = CivilTime.midnight(ofDay: day, offset: catalogue.programRows[program.place].offset)
    let (year, _) = CivilTime.yearAndMonth(day: day)
    let key = CounterKey(.birthday, of: UInt32(program.place), from: 0)
    let kept = counter(member, key)
    guard record.tenant == catalogue.programRows[program.place].tenant, record.since < moment,
      record.state == MemberState.active.rawValue, kept < year,
      catalogue.ruleSets[program.place].hasRule(ofEvent: Ledger.birthday.bytes, at: moment)
    else { return }
    count(year - kept, of: member, key)
    raise(Ledger.birthday, of: member, in: program, at: moment)
  }
}
