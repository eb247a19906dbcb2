/// A file that is part of the program, and what it is to a browser. There is none yet: the console's come here.
struct EmbeddedFile {
  var type: Response.ContentType
  var bytes: [UInt8]

  private static let all: [String: EmbeddedFile] = [:]
  /// By its path, from the `/` on.
  static func at(_ path: String) -> EmbeddedFile? { all[path] }
}
