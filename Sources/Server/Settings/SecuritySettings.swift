import Cluster
import OpenSSL

/// Which TLS terminals and other nodes have, as the operator says it; the files are read by `load`, again at each SIGHUP.
public struct SecuritySettings: Sendable {
  /// Of this side, for terminals; nil: they speak in the clear.
  public var terminals: TLSContext.Files?
  /// Terminals must show a certificate of the authorities.
  public var asksTerminals: Bool
  /// Between nodes; nil: in the clear.
  public var peers: TLSContext.Files?
  /// The cluster's label: what a node's certificate must name.
  public var cluster: String

  static let all: [Setting] = [
    Setting(
      "tls-cert", "",
      """
      File with this node's certificate for terminals, in PEM form, then those between it and its authority. With it terminals
      (and HTTP) speak TLS, 1.2 at least. See tally help cert. SIGHUP reads all files anew; connections stay.
      """, problem: { _ in nil }),
    Setting("tls-key", "", "File with its private key, in PEM form, without a password.", problem: { _ in nil }),
    Setting(
      "tls-ca", "", "File with certificates of the authorities of terminals' certificates, in PEM form.",
      problem: { _ in nil }),
    Setting(
      "tls-client", "no",
      "Whether terminals must show a certificate, signed by an authority of tls-ca: required or no.",
      problem: { ["required", "no"].contains($0) ? nil : "must be required or no" }),
    Setting(
      "peer-cert", "",
      """
      File with this node's certificate for other nodes, in PEM form. With it nodes speak TLS, both sides show theirs, and each
      must be of a node of this cluster: OU=node, O=the label of cluster. On all nodes or on none.
      """, problem: { _ in nil }),
    Setting("peer-key", "", "File with its private key, in PEM form, without a password.", problem: { _ in nil }),
    Setting(
      "peer-ca", "", "File with certificates of the authorities of nodes' certificates, in PEM form.",
      problem: { _ in nil }),
    Setting(
      "cluster", "tally", "The cluster's label, which nodes' certificates name. Chosen before CLUSTER INIT, for good.",
      problem: { value in
        let isLabel = (1...64).contains(value.utf8.count) && value.utf8.allSatisfy { $0 > 32 && $0 < 127 }
        return isLabel ? nil : "must be 1 to 64 letters, digits or signs, without blanks"
      }),
  ]

  init(_ text: (String) -> String) throws(ConfigurationError) {
    func path(_ key: String) -> String? { text(key).isEmpty ? nil : text(key) }
    cluster = text("cluster")
    asksTerminals = text("tls-client") == "required"
    let own = TLSContext.Files(certificate: path("tls-cert"), key: path("tls-key"), authorities: path("tls-ca"))
    let peer = TLSContext.Files(certificate: path("peer-cert"), key: path("peer-key"), authorities: path("peer-ca"))
    guard own == .init() || own.certificate != nil && own.key != nil else {
      throw ConfigurationError("tls-cert and tls-key belong together: name the certificate and its key")
    }
    guard !asksTerminals || own.authorities != nil else {
      throw ConfigurationError(
        "tls-client = required needs tls-cert, tls-key, and tls-ca, by which certificates are verified")
    }
    guard peer == .init() || peer.certificate != nil && peer.key != nil && peer.authorities != nil else {
      throw ConfigurationError(
        "peer-cert, peer-key and peer-ca belong together: between nodes both sides show a certificate")
    }
    terminals = own.certificate == nil ? nil : own
    peers = peer.certificate == nil ? nil : peer
  }

  /// Whether there is a file to read.
  var isAny: Bool { terminals != nil || peers != nil }

  /// Reads the files, from any thread.
  func load() throws(TLSFilesError) -> LoopSecurity {
    var security = LoopSecurity()
    if let terminals {
      security.terminals = try TLSContext(terminals, verification: asksTerminals ? .signed : .none)
    }
    if let peers {
      let context = try TLSContext(peers, verification: .node(cluster: cluster), givesTickets: false)
      guard let own = context.certificate, own.isNode(of: cluster) else {
        let name = context.certificate?.description ?? "nobody"
        throw TLSFilesError(
          "\(peers.certificate ?? "peer-cert") names \(name), not a node of the cluster \(cluster): other nodes would refuse it;"
            + " make one by tally cert node, or set cluster")
      }
      security.peers = context
    }
    return security
  }
}

extension LoopSecurity {
  /// For the log: whose certificates these are, and how long they hold.
  var summary: String {
    [("tls", terminals), ("peers", peers)].compactMap { name, context in
      context?.certificate.map { "\(name)=\"\($0)\" \(name)_expires=\($0.expiryDay)" }
    }.joined(separator: " ")
  }
}
