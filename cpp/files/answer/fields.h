// Serialises the header fields of an entry's answers, once, when the file is opened.
//
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "files/disk/entry.h"
#include "files/routes/options.h"

namespace httpuv::files {

// Those of a file. Content-Type, Content-Encoding, ETag, Last-Modified, Accept-Ranges and Date
// among Options::headers replace the server's own, and conditions are checked against them.
struct FileForm {
  std::string_view coding = "";  // content coding of the bytes; "" for none
  bool negotiated = false;       // which form of the file is sent depends on Accept-Encoding
};
void write_file_fields(FileEntry& entry, const Options& options, const FileForm& form);

// Those of a file that is sent whole, whatever the request asks: no validators, no ranges.
void write_whole_fields(FileEntry& entry, const Options& options, std::string_view coding);

// Those of a page that stands for no file and always has its own type: the text of a 404, which has
// no validators, and a listing, which has its ETag.
void write_page_fields(FileEntry& entry, const Options& options);
void write_listing_fields(FileEntry& entry, const Options& options, std::string_view coding);

// Options::headers as far as they hold for an answer that does not carry the file: without those
// that describe the file (Content-*, ETag, Last-Modified, Accept-Ranges) or say how long to keep it
// (Cache-Control, Expires).
std::string error_fields(const Options& options);

// The value of that name among Options::headers, or null.
const std::string* find_header(const Options& options, std::string_view name);

}  // namespace httpuv::files
