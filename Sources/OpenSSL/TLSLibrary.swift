/// The functions of libssl and libcrypto that TLS is made of, each documented by its manual page of the same name. Macros of
/// OpenSSL's headers are calls of `SSL_CTX_ctrl` or `SSL_ctrl` with their numbers.
final class TLSLibrary: @unchecked Sendable {
  typealias Handle = OpaquePointer
  let contexts: ContextFunctions
  let sessions: SessionFunctions
  let wires: WireFunctions
  private let nextError: @convention(c) () -> UInt
  let clearErrors: @convention(c) () -> Void
  private let reason: @convention(c) (UInt) -> UnsafePointer<CChar>?

  /// Looked up once; what is not there is said by name.
  static let shared = Result<TLSLibrary, SystemLibrary.Missing> { () throws(SystemLibrary.Missing) in
    try TLSLibrary(SystemLibrary.tls, SystemLibrary.crypto)
  }

  private init(_ tls: SystemLibrary, _ crypto: SystemLibrary) throws(SystemLibrary.Missing) {
    typealias Initialize = @convention(c) (UInt64, OpaquePointer?) -> Int32
    let initialize = try tls.function("OPENSSL_init_ssl", as: Initialize.self)
    contexts = try ContextFunctions(tls)
    sessions = try SessionFunctions(tls, crypto)
    wires = try WireFunctions(crypto)
    nextError = try crypto.function("ERR_get_error")
    clearErrors = try crypto.function("ERR_clear_error")
    reason = try crypto.function("ERR_reason_error_string")
    // Without its handlers at the end of the process: other threads may still be in the library then.
    _ = initialize(TLSLibrary.noExitHandlers, nil)
  }
  private static let noExitHandlers: UInt64 = 0x0008_0000

  /// What the calling thread's last call has left in its queue of errors, the last one first; the queue is empty then.
  func takeError() -> (code: UInt, text: String)? {
    var last: UInt = 0
    while case let code = nextError(), code != 0 { last = code }
    guard last != 0 else { return nil }
    return (last, reason(last).map { String(cString: $0) } ?? "error \(last)")
  }
}

/// Of what sessions share (`SSL_CTX`).
final class ContextFunctions: @unchecked Sendable {
  typealias Handle = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  typealias Control = @convention(c) (Handle, Int32, Int, UnsafeMutableRawPointer?) -> Int

  let bothSides: @convention(c) () -> Handle?
  let newContext: @convention(c) (Handle?) -> Handle?
  let freeContext: @convention(c) (Handle) -> Void
  let controlContext: Control
  let setOptions: @convention(c) (Handle, UInt64) -> UInt64
  let setCiphers: @convention(c) (Handle, Text) -> Int32
  let setVerify: @convention(c) (Handle, Int32, OpaquePointer?) -> Void
  let setSessionContext: @convention(c) (Handle, UnsafePointer<UInt8>, UInt32) -> Int32
  let setTickets: @convention(c) (Handle, Int) -> Int32
  let setPasswordCallback:
    @convention(c) (
      Handle, (@convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32)?
    ) -> Void
  let useChain: @convention(c) (Handle, Text) -> Int32
  let useKey: @convention(c) (Handle, Text, Int32) -> Int32
  let checkKey: @convention(c) (Handle) -> Int32
  let loadAuthorities: @convention(c) (Handle, Text) -> Int32
  let loadSystemAuthorities: @convention(c) (Handle) -> Int32
  let readNames: @convention(c) (Text) -> Handle?
  let offerNames: @convention(c) (Handle, Handle) -> Void
  let ownCertificate: @convention(c) (Handle) -> Handle?

  fileprivate init(_ tls: SystemLibrary) throws(SystemLibrary.Missing) {
    bothSides = try tls.function("TLS_method")
    newContext = try tls.function("SSL_CTX_new")
    freeContext = try tls.function("SSL_CTX_free")
    controlContext = try tls.function("SSL_CTX_ctrl")
    setOptions = try tls.function("SSL_CTX_set_options")
    setCiphers = try tls.function("SSL_CTX_set_cipher_list")
    setVerify = try tls.function("SSL_CTX_set_verify")
    setSessionContext = try tls.function("SSL_CTX_set_session_id_context")
    setTickets = try tls.function("SSL_CTX_set_num_tickets")
    setPasswordCallback = try tls.function("SSL_CTX_set_default_passwd_cb")
    useChain = try tls.function("SSL_CTX_use_certificate_chain_file")
    useKey = try tls.function("SSL_CTX_use_PrivateKey_file")
    checkKey = try tls.function("SSL_CTX_check_private_key")
    loadAuthorities = try tls.function("SSL_CTX_load_verify_file")
    loadSystemAuthorities = try tls.function("SSL_CTX_set_default_verify_paths")
    readNames = try tls.function("SSL_load_client_CA_file")
    offerNames = try tls.function("SSL_CTX_set_client_CA_list")
    ownCertificate = try tls.function("SSL_CTX_get0_certificate")
  }
}

/// Of one session (`SSL`).
final class SessionFunctions: @unchecked Sendable {
  typealias Handle = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  typealias Control = @convention(c) (Handle, Int32, Int, UnsafeMutableRawPointer?) -> Int
  typealias Transfer = @convention(c) (Handle, UnsafeMutableRawPointer?, Int32) -> Int32

  let newSession: @convention(c) (Handle) -> Handle?
  let freeSession: @convention(c) (Handle) -> Void
  let control: Control
  let accept: @convention(c) (Handle) -> Void
  let connect: @convention(c) (Handle) -> Void
  let setWire: @convention(c) (Handle, Handle, Handle) -> Void
  let handshake: @convention(c) (Handle) -> Int32
  let read: Transfer
  let write: @convention(c) (Handle, UnsafeRawPointer?, Int32) -> Int32
  let shutdown: @convention(c) (Handle) -> Int32
  let error: @convention(c) (Handle, Int32) -> Int32
  let verifyResult: @convention(c) (Handle) -> Int
  let verifyText: @convention(c) (Int) -> Text?
  let peerCertificate: @convention(c) (Handle) -> Handle?
  let version: @convention(c) (Handle) -> Text?
  let parameters: @convention(c) (Handle) -> Handle?
  let expectHost: @convention(c) (Handle, Text, Int) -> Int32
  let expectAddress: @convention(c) (Handle, Text) -> Int32

  fileprivate init(_ tls: SystemLibrary, _ crypto: SystemLibrary) throws(SystemLibrary.Missing) {
    newSession = try tls.function("SSL_new")
    freeSession = try tls.function("SSL_free")
    control = try tls.function("SSL_ctrl")
    accept = try tls.function("SSL_set_accept_state")
    connect = try tls.function("SSL_set_connect_state")
    setWire = try tls.function("SSL_set_bio")
    handshake = try tls.function("SSL_do_handshake")
    read = try tls.function("SSL_read")
    write = try tls.function("SSL_write")
    shutdown = try tls.function("SSL_shutdown")
    error = try tls.function("SSL_get_error")
    verifyResult = try tls.function("SSL_get_verify_result")
    verifyText = try crypto.function("X509_verify_cert_error_string")
    peerCertificate = try tls.function("SSL_get1_peer_certificate")
    version = try tls.function("SSL_get_version")
    parameters = try tls.function("SSL_get0_param")
    expectHost = try crypto.function("X509_VERIFY_PARAM_set1_host")
    expectAddress = try crypto.function("X509_VERIFY_PARAM_set1_ip_asc")
  }
}

/// Of a source and sink of bytes (`BIO`).
final class WireFunctions: @unchecked Sendable {
  typealias Handle = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  typealias Control = @convention(c) (Handle, Int32, Int, UnsafeMutableRawPointer?) -> Int
  typealias Transfer = @convention(c) (Handle, UnsafeMutableRawPointer?, Int32) -> Int32

  let newMethod: @convention(c) (Int32, Text) -> Handle?
  let methodRead: @convention(c) (Handle, Transfer?) -> Int32
  let methodWrite: @convention(c) (Handle, (@convention(c) (Handle, UnsafeRawPointer?, Int32) -> Int32)?) -> Int32
  let methodControl: @convention(c) (Handle, Control?) -> Int32
  let newWire: @convention(c) (Handle) -> Handle?
  let setData: @convention(c) (Handle, UnsafeMutableRawPointer?) -> Void
  let data: @convention(c) (Handle) -> UnsafeMutableRawPointer?
  let setReady: @convention(c) (Handle, Int32) -> Void
  let setFlags: @convention(c) (Handle, Int32) -> Void
  let clearFlags: @convention(c) (Handle, Int32) -> Void

  fileprivate init(_ crypto: SystemLibrary) throws(SystemLibrary.Missing) {
    newMethod = try crypto.function("BIO_meth_new")
    methodRead = try crypto.function("BIO_meth_set_read")
    methodWrite = try crypto.function("BIO_meth_set_write")
    methodControl = try crypto.function("BIO_meth_set_ctrl")
    newWire = try crypto.function("BIO_new")
    setData = try crypto.function("BIO_set_data")
    data = try crypto.function("BIO_get_data")
    setReady = try crypto.function("BIO_set_init")
    setFlags = try crypto.function("BIO_set_flags")
    clearFlags = try crypto.function("BIO_clear_flags")
  }
}
