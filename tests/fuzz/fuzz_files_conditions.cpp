// Any If-* and Accept-Encoding fields, one a line: the answer is one of those that RFC 9110 knows,
// and the same tag that was sent is always recognised.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "coding/accept_encoding.h"
#include "files/answer/conditions.h"

using namespace httpuv::files;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  FileEntry entry;
  entry.etag = "\"5-a\"";
  entry.last_modified = 784111777;

  Query query;
  query.now = 1'700'000'000;
  query.if_match = take_line(text);
  query.if_none_match = take_line(text);
  query.if_modified_since = take_line(text);
  query.if_unmodified_since = take_line(text);
  query.if_range = take_line(text);
  query.accept_encoding = text;

  const Verdict verdict = check_conditions(entry, query);
  if (verdict == Verdict::kPreconditionFailed) {
    require(!query.if_match.empty() || !query.if_unmodified_since.empty());
  }
  if (verdict == Verdict::kNotModified) {
    require(!query.if_none_match.empty() || !query.if_modified_since.empty());
  }
  range_applies(entry, query);
  const std::string with_ours = "\"x\", " + entry.etag + ", " + std::string(query.if_none_match);
  require(etag_listed(with_ours, entry.etag, Comparison::kWeak));

  for (unsigned there = 0; there < 8; ++there) {
    const std::array<bool, httpuv::coding::kCodings> forms = {(there & 1) != 0, (there & 2) != 0,
                                                              (there & 4) != 0};
    const auto coding = httpuv::coding::choose_coding(query.accept_encoding, forms);
    if (coding) require(forms[static_cast<std::size_t>(*coding)]);
    require(!coding || !query.accept_encoding.empty());
  }
  return 0;
}
