/// The functions of libcrypto by which certificates are read and made, each documented by its manual page of the same name.
final class CertificateLibrary: @unchecked Sendable {
  typealias Handle = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  typealias Getter = @convention(c) (OpaquePointer) -> OpaquePointer?
  typealias Release = @convention(c) (OpaquePointer) -> Void

  let freeCertificate: Release
  let subject: Getter
  let expiry: Getter
  let toCalendar: @convention(c) (Handle, UnsafeMutableRawPointer) -> Int32
  let entryIndex: @convention(c) (Handle, Int32, Int32) -> Int32
  let entry: @convention(c) (Handle, Int32) -> Handle?
  let entryData: Getter
  let toUTF8: @convention(c) (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>, Handle) -> Int32
  let freeBytes: @convention(c) (UnsafeMutableRawPointer?, Text, Int32) -> Void
  let making: MakingFunctions
  let keys: KeyFunctions
  let texts: TextFunctions

  /// Looked up once; what is not there is said by name.
  static let shared = Result<CertificateLibrary, SystemLibrary.Missing> { () throws(SystemLibrary.Missing) in
    try CertificateLibrary(SystemLibrary.crypto)
  }

  private init(_ crypto: SystemLibrary) throws(SystemLibrary.Missing) {
    freeCertificate = try crypto.function("X509_free")
    subject = try crypto.function("X509_get_subject_name")
    expiry = try crypto.function("X509_get0_notAfter")
    toCalendar = try crypto.function("ASN1_TIME_to_tm")
    entryIndex = try crypto.function("X509_NAME_get_index_by_NID")
    entry = try crypto.function("X509_NAME_get_entry")
    entryData = try crypto.function("X509_NAME_ENTRY_get_data")
    toUTF8 = try crypto.function("ASN1_STRING_to_UTF8")
    freeBytes = try crypto.function("CRYPTO_free")
    making = try MakingFunctions(crypto)
    keys = try KeyFunctions(crypto)
    texts = try TextFunctions(crypto)
  }
}

/// Of a new certificate.
final class MakingFunctions: @unchecked Sendable {
  typealias Handle = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  typealias Bytes = UnsafePointer<UInt8>
  typealias Getter = @convention(c) (OpaquePointer) -> OpaquePointer?
  typealias Release = @convention(c) (OpaquePointer) -> Void
  /// Takes two handles, and gives 1 for done.
  typealias Setter = @convention(c) (OpaquePointer, OpaquePointer) -> Int32

  let newCertificate: @convention(c) () -> Handle?
  let setVersion: @convention(c) (Handle, Int) -> Int32
  let setSerial: Setter
  let notBefore: Getter
  let notAfter: Getter
  let setTime: @convention(c) (Handle?, Int) -> Handle?
  let setKey: Setter
  let setSubject: Setter
  let setIssuer: Setter
  let newName: @convention(c) () -> Handle?
  let freeName: Release
  let addToName: @convention(c) (Handle, Text, Int32, Bytes, Int32, Int32, Int32) -> Int32
  let extensionContext: @convention(c) (UnsafeMutableRawPointer, Handle?, Handle?, Handle?, Handle?, Int32) -> Void
  let newExtension: @convention(c) (Handle?, UnsafeMutableRawPointer, Int32, Text) -> Handle?
  let addExtension: @convention(c) (Handle, Handle, Int32) -> Int32
  let freeExtension: Release
  let sign: @convention(c) (Handle, Handle, Handle) -> Int32
  let sha256: @convention(c) () -> Handle?
  let keyMatches: Setter
  let toNumber: @convention(c) (Bytes, Int32, Handle?) -> Handle?
  let freeNumber: Release
  let toInteger: @convention(c) (Handle, Handle?) -> Handle?
  let freeInteger: Release

  fileprivate init(_ crypto: SystemLibrary) throws(SystemLibrary.Missing) {
    newCertificate = try crypto.function("X509_new")
    setVersion = try crypto.function("X509_set_version")
    setSerial = try crypto.function("X509_set_serialNumber")
    notBefore = try crypto.function("X509_getm_notBefore")
    notAfter = try crypto.function("X509_getm_notAfter")
    setTime = try crypto.function("ASN1_TIME_set")
    setKey = try crypto.function("X509_set_pubkey")
    setSubject = try crypto.function("X509_set_subject_name")
    setIssuer = try crypto.function("X509_set_issuer_name")
    newName = try crypto.function("X509_NAME_new")
    freeName = try crypto.function("X509_NAME_free")
    addToName = try crypto.function("X509_NAME_add_entry_by_txt")
    extensionContext = try crypto.function("X509V3_set_ctx")
    newExtension = try crypto.function("X509V3_EXT_conf_nid")
    addExtension = try crypto.function("X509_add_ext")
    freeExtension = try crypto.function("X509_EXTENSION_free")
    sign = try crypto.function("X509_sign")
    sha256 = try crypto.function("EVP_sha256")
    keyMatches = try crypto.function("X509_check_private_key")
    toNumber = try crypto.function("BN_bin2bn")
    freeNumber = try crypto.function("BN_free")
    toInteger = try crypto.function("BN_to_ASN1_INTEGER")
    freeInteger = try crypto.function("ASN1_INTEGER_free")
  }
}

/// Of a new key.
final class KeyFunctions: @unchecked Sendable {
  typealias Handle = OpaquePointer
  typealias Text = UnsafePointer<CChar>
  typealias Release = @convention(c) (OpaquePointer) -> Void

  let newKeyMaker: @convention(c) (Handle?, Text, Text?) -> Handle?
  let freeKeyMaker: Release
  let beginKey: @convention(c) (Handle) -> Int32
  let setCurve: @convention(c) (Handle, Text) -> Int32
  let makeKey: @convention(c) (Handle, UnsafeMutablePointer<Handle?>) -> Int32
  let freeKey: Release
  let randomBytes: @convention(c) (UnsafeMutablePointer<UInt8>, Int32) -> Int32

  fileprivate init(_ crypto: SystemLibrary) throws(SystemLibrary.Missing) {
    newKeyMaker = try crypto.function("EVP_PKEY_CTX_new_from_name")
    freeKeyMaker = try crypto.function("EVP_PKEY_CTX_free")
    beginKey = try crypto.function("EVP_PKEY_keygen_init")
    setCurve = try crypto.function("EVP_PKEY_CTX_set_group_name")
    makeKey = try crypto.function("EVP_PKEY_generate")
    freeKey = try crypto.function("EVP_PKEY_free")
    randomBytes = try crypto.function("RAND_bytes")
  }
}

/// Of texts in PEM form.
final class TextFunctions: @unchecked Sendable {
  typealias Handle = OpaquePointer
  /// Takes two handles, and gives 1 for done.
  typealias Setter = @convention(c) (OpaquePointer, OpaquePointer) -> Int32

  let memory: @convention(c) () -> Handle?
  let newBuffer: @convention(c) (Handle?) -> Handle?
  let readBuffer: @convention(c) (UnsafeRawPointer, Int32) -> Handle?
  let freeBuffer: @convention(c) (Handle) -> Int32
  let controlBuffer: @convention(c) (Handle, Int32, Int, UnsafeMutableRawPointer?) -> Int
  let writeCertificate: Setter
  let writeKey:
    @convention(c) (
      Handle, Handle, Handle?, UnsafeRawPointer?, Int32, UnsafeRawPointer?, UnsafeMutableRawPointer?
    ) -> Int32
  let readCertificate: @convention(c) (Handle, Handle?, OpaquePointer?, UnsafeMutableRawPointer?) -> Handle?
  let readKey:
    @convention(c) (
      Handle, Handle?,
      (@convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32)?,
      UnsafeMutableRawPointer?
    ) -> Handle?

  fileprivate init(_ crypto: SystemLibrary) throws(SystemLibrary.Missing) {
    memory = try crypto.function("BIO_s_mem")
    newBuffer = try crypto.function("BIO_new")
    readBuffer = try crypto.function("BIO_new_mem_buf")
    freeBuffer = try crypto.function("BIO_free")
    controlBuffer = try crypto.function("BIO_ctrl")
    writeCertificate = try crypto.function("PEM_write_bio_X509")
    writeKey = try crypto.function("PEM_write_bio_PKCS8PrivateKey")
    readCertificate = try crypto.function("PEM_read_bio_X509")
    readKey = try crypto.function("PEM_read_bio_PrivateKey")
  }
}
