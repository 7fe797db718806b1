#include "http/message/refusal.h"

namespace httpuv::http {

int refusal_status(Refusal refusal) {
  switch (refusal) {
    case Refusal::kBodyTooLarge:
      return 413;
    case Refusal::kTargetTooLong:
      return 414;
    case Refusal::kExpectation:
      return 417;
    case Refusal::kHeadTooLarge:
    case Refusal::kTooManyFields:
    case Refusal::kFramingTooLarge:
      return 431;
    case Refusal::kMethod:
    case Refusal::kUnknownCoding:
      return 501;
    case Refusal::kVersion:
      return 505;
    default:
      return 400;
  }
}

std::string_view refusal_reason(Refusal refusal) {
  switch (refusal) {
    case Refusal::kNone:
      return "";
    case Refusal::kMalformed:
      return "malformed request";
    case Refusal::kLineEnd:
      return "line does not end in CRLF";
    case Refusal::kRequestLine:
      return "malformed request line";
    case Refusal::kTarget:
      return "invalid request target";
    case Refusal::kMethod:
      return "unknown method";
    case Refusal::kVersion:
      return "unsupported HTTP version";
    case Refusal::kTargetTooLong:
      return "request target too long";
    case Refusal::kHeadTooLarge:
      return "request head too large";
    case Refusal::kTooManyFields:
      return "too many header fields";
    case Refusal::kHost:
      return "missing, repeated or invalid Host";
    case Refusal::kContentType:
      return "repeated Content-Type";
    case Refusal::kContentLength:
      return "invalid Content-Length";
    case Refusal::kTransferEncoding:
      return "invalid Transfer-Encoding";
    case Refusal::kUnknownCoding:
      return "unsupported transfer coding";
    case Refusal::kChunk:
      return "malformed chunk";
    case Refusal::kTrailer:
      return "a trailer that may not be one";
    case Refusal::kConnectBody:
      return "CONNECT with a body";
    case Refusal::kExpectation:
      return "unknown expectation";
    case Refusal::kBodyTooLarge:
      return "request body too large";
    case Refusal::kFramingTooLarge:
      return "chunk extensions or trailers too large";
    case Refusal::kIncomplete:
      return "connection closed in the middle of a request";
  }
  return "";
}

}  // namespace httpuv::http
