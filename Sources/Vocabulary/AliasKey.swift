import Base

/// By what a member is known beside its id: a kind and a value. The key of a card is its number alone, that of another kind is
/// `kind:value`: no number has a colon, so no two are the same.
public enum AliasKey {
  public static let kinds = ["card", "phone", "mail", "bank", "login"]
  private static let others: [[UInt8]] = kinds.dropFirst().map { Array($0.utf8) }

  /// Where the key begins in `KIND:VALUE`: behind `card:`, in whatever case; else at the front. Nil: it is none.
  public static func start(of text: UnsafeRawBufferPointer) -> Int? {
    guard let colon = text.prefix(8).firstIndex(of: UInt8(ascii: ":")),
      isValue(UnsafeRawBufferPointer(rebasing: text[(colon + 1)...]))
    else { return nil }
    if colon == 4, text.loadUnaligned(as: UInt32.self).littleEndian | 0x2020_2020 == 0x6472_6163 { return 5 }
    return others.contains { text[..<colon].elementsEqual($0) } ? 0 : nil
  }
  /// 1 to 64 of `A-Za-z0-9._+@-`.
  private static func isValue(_ text: UnsafeRawBufferPointer) -> Bool {
    let classes = ByteClass.table
    return (1...Shape.maximumIdentifierBytes).contains(text.count)
      && text.allSatisfy {
        classes[Int($0)] != 0 || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "@")
      }
  }
  /// Whether bytes are a key.
  @inlinable @inline(__always) public static func isKey(_ text: UnsafeRawBufferPointer) -> Bool {
    text.isIdentifier || isRareKey(text)
  }
  @inline(never) @usableFromInline static func isRareKey(_ text: UnsafeRawBufferPointer) -> Bool {
    isValue(text) || start(of: text) == 0
  }
  /// Whether a key is a card's number.
  public static func isCard(_ key: UnsafeRawBufferPointer) -> Bool { !key.contains(UInt8(ascii: ":")) }
  /// A key as a request says it: with its kind.
  public static func text(_ key: UnsafeRawBufferPointer) -> [UInt8] {
    (isCard(key) ? Array("card:".utf8) : []) + Array(key)
  }
}
