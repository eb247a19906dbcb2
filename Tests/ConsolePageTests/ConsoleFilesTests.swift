import Foundation
import Testing

@testable import ConsolePage

struct ConsoleFilesTests {
  static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Sources/ConsolePage/Files")
  static let names = ((try? FileManager.default.subpathsOfDirectory(atPath: directory.path)) ?? []).filter {
    $0.contains(".")
  }.sorted()
  static func source(_ name: String) throws -> String {
    try String(contentsOf: directory.appending(path: name), encoding: .utf8)
  }

  @Test(arguments: names) func eachFileIsServedAsItStands(name: String) throws {
    let file = try #require(ConsoleFiles.file(name == "index.html" ? "/" : "/\(name)"))
    #expect(String(decoding: file.bytes, as: UTF8.self) == (try Self.source(name)))
  }
  @Test func nothingElseIsServed() {
    for path in ["", "/index.html", "/nothing.js", "//", "/../Package.swift", "/Files/app.js", "app.js"] {
      #expect(ConsoleFiles.file(path) == nil, "\(path)")
    }
  }
  @Test func typesAreThoseOfTheBrowser() throws {
    #expect(try #require(ConsoleFiles.file("/")).contentType == "text/html; charset=utf-8")
    #expect(try #require(ConsoleFiles.file("/app.js")).contentType == "text/javascript; charset=utf-8")
    #expect(try #require(ConsoleFiles.file("/app.css")).contentType == "text/css; charset=utf-8")
    #expect(try #require(ConsoleFiles.file("/icon.svg")).contentType == "image/svg+xml")
  }
  @Test func tagsTellFilesApart() throws {
    try #require(Self.names.contains("app.js"))
    let files = Self.names.compactMap { ConsoleFiles.file($0 == "index.html" ? "/" : "/\($0)") }
    #expect(Set(files.map(\.tag)).count == Self.names.count)
    for file in files { #expect(file.tag.hasPrefix("\"") && file.tag.hasSuffix("\"") && file.tag.count > 20) }
  }
  @Test func whoHasTheFileIsToldSo() throws {
    let file = try #require(ConsoleFiles.file("/app.js"))
    for known in [file.tag, "W/\(file.tag)", "\"other\", \(file.tag)", "*"] {
      #expect(ConsoleFiles.isKnown(file, to: known), "\(known)")
    }
    for known in [nil, "", "\"other\"", String(file.tag.dropLast()), file.tag + "x"] {
      #expect(!ConsoleFiles.isKnown(file, to: known), "\(known ?? "nil")")
    }
  }
  @Test func thePageLoadsAndRunsOnlyWhatIsHere() throws {
    for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
      #expect(ConsoleFiles.headers.contains(rule))
    }
    #expect(!ConsoleFiles.headers.contains("unsafe"))
    for header in [
      "X-Content-Type-Options: nosniff\r\n", "Referrer-Policy: no-referrer\r\n", "Cache-Control: no-cache\r\n",
    ] {
      #expect(ConsoleFiles.headers.contains(header))
    }
    let page = try Self.source("index.html")
    #expect(page.firstMatch(of: /\son\w+=|style=|<style|<script(?![^>]*src=)/) == nil)
    for match in page.matches(of: /(?:src|href)="([^"]*)"/) {
      #expect(ConsoleFiles.file(String(match.1)) != nil, "\(match.1)")
    }
  }
  @Test(arguments: names.filter { $0.hasSuffix(".js") }) func whatANodeSaysIsNeverMarkup(name: String) throws {
    let text = try Self.source(name)
    for word in [
      "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser",
    ] {
      #expect(!text.contains(word), "\(word)")
    }
    for match in text.matches(of: /from "([^"]*)"/) {
      #expect(ConsoleFiles.file(String(match.1)) != nil, "\(match.1)")
    }
  }
  @Test func whatThePageSaysIsSaidInChineseToo() throws {
    let chinese = try Self.source("base/words-zh.js")
    for name in Self.names where name.hasSuffix(".js") && !name.contains("words") {
      let text = try Self.source(name)
      let said =
        text.matches(of: /\bt\("([^"]+)"/).map { $0.1 }
        + (name == "cluster/actions.js" ? text.matches(of: /(?:title|about|label): "([^"]+)"/).map { $0.1 } : [])
      for words in said { #expect(chinese.contains("\"\(words)\": \""), "\(name): \(words)") }
    }
  }
}
