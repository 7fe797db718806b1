// The answer {"file": path} of an application: what a static path would answer with the same file,
// but for the fields that the application sets itself.
//
// Pure; any thread. Never fails.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "files/answer/respond.h"
#include "files/disk/entry.h"
#include "files/routes/mime.h"

namespace httpuv::files {

struct FileAnswer {
  std::unique_ptr<FileEntry> entry;  // as loaded, without its fields
  std::string_view name;             // the extension names the type
  // Those of the application. They replace the server's own fields and validators.
  std::vector<std::pair<std::string, std::string>> headers;
  int status = 200;
};

// `query`: the request, if it is a GET or HEAD; null for other methods, whose answers are not
// representations of the file. Conditions and ranges apply to a 200 (RFC 9110 sections 13.2.1 and
// 14.2) that has no Content-Range yet; another answer only gets its Content-Type.
Answer answer_with_file(FileAnswer&& answer, const MimeTable& mime, const Query* query);

}  // namespace httpuv::files
