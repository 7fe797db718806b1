// The file of an answer {"file": path}, and the table of media types.
//
// With the GIL held, which is released during file access. Wrong files raise OSError.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <string>

#include "base/descriptor.h"
#include "files/answer/respond.h"
#include "files/disk/entry.h"
#include "files/routes/mime.h"
#include "http/message/response.h"
#include "server/message/message.h"

namespace httpuv::python {

std::shared_ptr<files::MimeTable> make_mime_table(const pybind11::dict& types);

// One open file that answers one request.
class File {
 public:
  // Adopts the descriptor, of a regular file. `name`: its extension names the type. `environment`:
  // of the request, for its method and its conditions.
  File(int fd, std::string name, std::shared_ptr<const files::MimeTable> mime,
       const pybind11::dict& environment);

  // The body for the answer with this head. The head gets another status (206, 304, 412, 416),
  // validators and the type. Once only.
  server::FileAnswer take(http::ResponseHead& head);

 private:
  // The fields of the request, by the names of its environment.
  struct Fields {
    std::string range, if_range, if_match, if_none_match, if_modified_since, if_unmodified_since;
  };

  std::unique_ptr<files::FileEntry> entry_;
  std::string name_;
  std::shared_ptr<const files::MimeTable> mime_;
  std::string method_;
  Fields fields_;
};

// A part of a file that is sent as it is, whatever the request says; adopts the descriptor.
class FilePart {
 public:
  FilePart(int fd, std::uint64_t offset, std::uint64_t length)
      : fd_(fd), offset_(offset), length_(length) {}
  server::FileBody take();  // once only

 private:
  base::Descriptor fd_;
  std::uint64_t offset_;
  std::uint64_t length_;
};

}  // namespace httpuv::python
