#include "websocket/frame/fault.h"

#include "websocket/frame/close_frame.h"

namespace httpuv::websocket {

std::uint16_t close_code_of(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return 0;
    case Fault::kBadCloseReason:
    case Fault::kBadUtf8:
    case Fault::kBadDeflate:
      return kCloseBadData;
    case Fault::kMessageTooBig:
      return kCloseTooBig;
    case Fault::kOutOfMemory:
      return kCloseInternalError;
    case Fault::kReservedBits:
    case Fault::kReservedOpcode:
    case Fault::kNotMasked:
    case Fault::kLengthNotMinimal:
    case Fault::kLengthTooLarge:
    case Fault::kControlTooLong:
    case Fault::kControlFragmented:
    case Fault::kUnexpectedContinuation:
    case Fault::kExpectedContinuation:
    case Fault::kBadCloseLength:
    case Fault::kBadCloseCode:
      return kCloseProtocolError;
  }
  return kCloseProtocolError;
}

std::string_view fault_text(Fault fault) {
  switch (fault) {
    case Fault::kNone:
      return "";
    case Fault::kReservedBits:
      return "reserved bit set";
    case Fault::kReservedOpcode:
      return "reserved opcode";
    case Fault::kNotMasked:
      return "frame not masked";
    case Fault::kLengthNotMinimal:
      return "length not in its shortest form";
    case Fault::kLengthTooLarge:
      return "length over 63 bits";
    case Fault::kControlTooLong:
      return "control frame over 125 bytes";
    case Fault::kControlFragmented:
      return "fragmented control frame";
    case Fault::kUnexpectedContinuation:
      return "continuation of nothing";
    case Fault::kExpectedContinuation:
      return "new message inside a fragmented one";
    case Fault::kBadCloseLength:
      return "close payload of one byte";
    case Fault::kBadCloseCode:
      return "invalid close code";
    case Fault::kBadCloseReason:
      return "close reason is not UTF-8";
    case Fault::kBadUtf8:
      return "text is not UTF-8";
    case Fault::kBadDeflate:
      return "invalid compressed data";
    case Fault::kMessageTooBig:
      return "message too big";
    case Fault::kOutOfMemory:
      return "out of memory";
  }
  return "";
}

}  // namespace httpuv::websocket
