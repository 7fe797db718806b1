// Any Range and If-Range against files of several sizes: the answer is whole, the parts lie inside
// the file, do not overlap, and add up to the length that is promised.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "files/answer/fields.h"
#include "files/answer/ranges.h"
#include "files/answer/respond.h"
#include "files/disk/loader.h"

using namespace httpuv::files;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

Resolution resolution(std::size_t size, bool in_memory) {
  static const auto table =
      std::make_shared<const RouteTable>(std::vector<Route>(1), std::make_shared<MimeTable>());
  std::unique_ptr<FileEntry> entry = make_entry(std::string(size, 'x'), 784111777);
  entry->in_memory = in_memory;
  entry->content_type = "text/plain";
  write_file_fields(*entry, table->routes()[0].options, {});
  Resolution made;
  made.kind = ResolutionKind::kFile;
  made.table = table;
  made.route = &table->routes()[0];
  made.entry = std::move(entry);
  return made;
}

void check(const Answer& answer, std::uint64_t size) {
  std::uint64_t length = 0;
  switch (answer.body) {
    case BodyKind::kNone:
      break;
    case BodyKind::kMemory:
      length = answer.memory.size();
      break;
    case BodyKind::kText:
      length = answer.text.size();
      break;
    case BodyKind::kFile:
      require(answer.source != nullptr && answer.offset + answer.length <= size);
      length = answer.length;
      break;
    case BodyKind::kMultipart: {
      require(answer.source != nullptr && answer.parts.size() > 1);
      std::uint64_t pieces = 0;
      for (const Part& part : answer.parts) {
        require(part.length > 0 && part.offset + part.length <= size);
        pieces += part.length;
        length += part.preamble.size() + part.length;
      }
      require(pieces <= size);
      length += answer.text.size();
      break;
    }
  }
  require(length == answer.content_length);
  require(answer.status == 200 || answer.status == 206 || answer.status == 416);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Resolution files[] = {resolution(0, true), resolution(10, true),
                                     resolution(1000, false)};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t split = std::min(text.find('\n'), text.size());
  Query query;
  query.now = 1'700'000'000;
  query.range = text.substr(0, split);
  query.if_range = text.substr(std::min(split + 1, text.size()));
  for (const Resolution& file : files) {
    check(respond(file, query), file.entry->size);
    query.if_range = {};
    check(respond(file, query), file.entry->size);
  }
  return 0;
}
