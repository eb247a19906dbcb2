import Replies

extension Value {
  /// The value, or `.refused` where it is an error line.
  public func orThrow() throws(ClientError) -> Value {
    if case .error(let code, let text) = self { throw .refused(code: code, text: text) }
    return self
  }
}
