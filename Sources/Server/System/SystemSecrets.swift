import Cluster
import OpenSSL

extension RememberingKeeper.Means {
  /// By the system's libcrypto. Each call throws where that is not there.
  static var system: RememberingKeeper.Means {
    RememberingKeeper.Means(
      code: { try Secrets.code($0, key: $1) },
      hash: { try Secrets.scrypt($0, salt: $1) },
      areEqual: { try Secrets.areEqual($0, $1) },
      random: { try Secrets.random($0) })
  }
}
