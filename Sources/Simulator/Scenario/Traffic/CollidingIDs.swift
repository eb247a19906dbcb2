/// Ids of 64 characters that all have one XXH64, for any small seed: what a stranger can make at will, since that hash is no
/// secret. Each is eight words of eight characters; the pairs of a row leave one and the same lane of the hash behind.
public enum CollidingIDs {
  public static let count = 10_000

  /// One of them; the same for the same number.
  public static func id(_ number: Int) -> String {
    var rest = number
    var first = ""
    var second = ""
    for row in rows {
      let pair = row[rest % row.count]
      rest /= row.count
      first += pair.prefix(8)
      second += pair.suffix(8)
    }
    return first + second
  }

  private static let rows = [
    [
      "qzBzegoSvsXJrQiF", "RKAKb1auElmXCbqO", "Dif4wpUXMKToC9ms", "11JAylMxrm84U.IG", "gntcV92k7ozftRK8",
      "1qvZLSX9G8eMiDCF", "JNXGdAsEuODfqqD4", "ftKyeIyUv1evrDxq", "nWWDUt7mqqlahWTM", "4fdj5C38eKE_q3AE",
    ],
    [
      "IF_uMisEQAf.3eiO", "N5d5.5tri-MxxsbQ", "DQAy7io9GRajrErp", "dlsJUosWPsOcP55e", "oKQkXCxS4f4sNwpc",
      "WnvqZZ_c-PfalUvV", "EY0aqJvr89d4Z.uo", "qEykFiLKK_wQCA1r", "VtCIzOVHkG0a69UY", "u9nP6De3sh.QgRKn",
    ],
    [
      "ITCI8gsi8BVeYPND", "t0rF6A2nvdcqStWj", "W2PFZH5YCr-xGYoA", "NrMyJoEUZmuE86cR", "v6TkYx8mDkDR42Ze",
      "W_CaMnk9C_E1Z8Ob", "l5vV2sJP9r0M5i9k", "EHWj7RZS5b5G9tS4", "byXxz9NFF9EN_78o", "X_VUH9hSp_9fW2_g",
    ],
    [
      "hETej4Q.JqS7EJAS", "KG.kbDlNY1zi3eys", "IQVIqOKdTdNaJ5mZ", "Gt2wN8m_KuqgkSU.", "K.pfOjF9cXS8Jh7C",
      "ve9g5aLLu2RerSP8", "AfeGESYh7fxzCbMl", "VDBwe9cnyU1Up3Oq", "jW96Ier7ReIdLD3X", "r7viEqtc33xq4baF",
    ],
  ]
}
