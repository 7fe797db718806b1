#include "python/convert/file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "base/text/ascii.h"
#include "files/answer/file_answer.h"
#include "files/disk/loader.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

[[noreturn]] void fail(int error, const std::string& path) {
  PyErr_SetObject(PyExc_OSError, py::make_tuple(error, py::str(std::strerror(error)), path).ptr());
  throw py::error_already_set();
}

// "" where the application has put something else there.
std::string text_of(const py::dict& environment, const char* key) {
  if (!environment.contains(key)) return "";
  const py::object value = environment[key];
  return PyUnicode_Check(value.ptr()) ? value.cast<std::string>() : "";
}

std::vector<std::pair<std::string, std::string>> fields_of(std::string_view lines) {
  std::vector<std::pair<std::string, std::string>> fields;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    fields.emplace_back(line.substr(0, colon), base::trim_ows(line.substr(colon + 1)));
  }
  return fields;
}

}  // namespace

std::shared_ptr<files::MimeTable> make_mime_table(const py::dict& types) {
  auto table = std::make_shared<files::MimeTable>();
  for (const auto& [extension, type] : types) {
    table->set(extension.cast<std::string>(), type.cast<std::string>());
  }
  return table;
}

File::File(int fd, std::string name, std::shared_ptr<const files::MimeTable> mime,
           const py::dict& environment)
    : name_(std::move(name)), mime_(std::move(mime)) {
  files::Opened opened;
  opened.fd = base::Descriptor(fd);
  method_ = text_of(environment, "REQUEST_METHOD");
  fields_.range = text_of(environment, "HTTP_RANGE");
  fields_.if_range = text_of(environment, "HTTP_IF_RANGE");
  fields_.if_match = text_of(environment, "HTTP_IF_MATCH");
  fields_.if_none_match = text_of(environment, "HTTP_IF_NONE_MATCH");
  fields_.if_modified_since = text_of(environment, "HTTP_IF_MODIFIED_SINCE");
  fields_.if_unmodified_since = text_of(environment, "HTTP_IF_UNMODIFIED_SINCE");
  int error = 0;
  {
    const GilRelease release;
    if (::fstat(fd, &opened.status) != 0) {
      error = errno;
    } else {
      // Its descriptor is kept, whatever its size: it is sent once.
      files::Loaded loaded = files::load_file(std::move(opened), 0);
      error = loaded.error;
      entry_ = std::move(loaded.entry);
    }
  }
  if (error != 0) fail(error, name_);
}

server::FileAnswer File::take(http::ResponseHead& head) {
  if (entry_ == nullptr) throw py::value_error("this File was sent already");
  files::FileAnswer given{std::move(entry_), name_, fields_of(head.fields()), head.status};
  files::Query query;
  query.head = method_ == "HEAD";
  query.range = fields_.range;
  query.if_range = fields_.if_range;
  query.if_match = fields_.if_match;
  query.if_none_match = fields_.if_none_match;
  query.if_modified_since = fields_.if_modified_since;
  query.if_unmodified_since = fields_.if_unmodified_since;
  query.now = static_cast<std::int64_t>(std::time(nullptr));
  const bool reads = query.head || method_ == "GET";
  auto answer = std::make_unique<files::Answer>(
      files::answer_with_file(std::move(given), *mime_, reads ? &query : nullptr));
  head.status = answer->status;
  head.replace_fields(std::string(answer->fields) + answer->own_fields);
  // The application's own length, if it gave one, was that of the whole file.
  head.content_length.reset();
  if (query.head && answer->send_content_length) head.content_length = answer->content_length;
  return answer;
}

server::FileBody FilePart::take() {
  if (fd_.get() < 0) throw py::value_error("this FilePart was sent already");
  server::FileBody body;
  body.file = std::move(fd_);
  body.offset = offset_;
  body.length = length_;
  return body;
}

}  // namespace httpuv::python
