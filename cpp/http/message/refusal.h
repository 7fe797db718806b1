// Why a request is refused, and with which status.
//
// Plain data, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace httpuv::http {

enum class Refusal : std::uint8_t {
  kNone,
  kMalformed,  // llhttp's finding; it has the words for it
  kLineEnd,
  kRequestLine,
  kTarget,
  kMethod,
  kVersion,
  kTargetTooLong,
  kHeadTooLarge,
  kTooManyFields,
  kHost,
  kContentType,
  kContentLength,
  kTransferEncoding,
  kUnknownCoding,
  kChunk,
  kTrailer,
  kConnectBody,
  kExpectation,
  kBodyTooLarge,
  kFramingTooLarge,
  kIncomplete,
};

int refusal_status(Refusal refusal);

// A short English phrase for the log.
std::string_view refusal_reason(Refusal refusal);

}  // namespace httpuv::http
