import Base

/// The console's files, as they stand in `Files`.
public enum ConsoleFiles {
  public struct File: Sendable {
    public let bytes: [UInt8]
    /// As the header `Content-Type` has it.
    public let contentType: String
    /// As the header `ETag` has it, in quotes: of these bytes alone.
    public let tag: String
  }

  /// By its path, from the `/` on; `/` is the page itself. Nil: there is none. O(1).
  public static func file(_ path: String) -> File? { all[path] }

  /// Headers that each of them is sent with, each with its CRLF, beside its type and tag. The page loads nothing from elsewhere,
  /// runs nothing that does not stand in a file of its own, and is shown in no other page. A browser keeps a file and asks
  /// whether it is still the same.
  public static let headers = [
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
      + "form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", "Cache-Control: no-cache",
  ].map { "\($0)\r\n" }.joined()

  /// - Parameter known: the value of the header `If-None-Match`.
  /// - Returns: whether the client has the file as it is, so that 304 without a body answers it.
  public static func isKnown(_ file: File, to known: String?) -> Bool {
    guard let known else { return false }
    return known.split(separator: ",").contains { tag in
      let tag = tag.drop { $0 == " " }.prefix { $0 != " " }
      return tag == "*" || tag == file.tag || tag == "W/\(file.tag)"
    }
  }

  private static let all: [String: File] = {
    var files: [String: File] = [:]
    for (name, text) in ConsoleTexts.all {
      let bytes = text.withUTF8Buffer { Array($0) }
      let file = File(bytes: bytes, contentType: contentType(name), tag: "\"\(SHA256.digest(bytes).hex)\"")
      files[name == "index.html" ? "/" : "/\(name)"] = file
    }
    return files
  }()

  private static func contentType(_ name: String) -> String {
    switch name.split(separator: ".").last {
    case "html": "text/html; charset=utf-8"
    case "css": "text/css; charset=utf-8"
    case "js": "text/javascript; charset=utf-8"
    default: "image/svg+xml"
    }
  }
}
