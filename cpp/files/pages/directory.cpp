#include "files/pages/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <compare>
#include <memory>
#include <utility>

#include "base/text/ascii.h"
#include "files/routes/route_table.h"

namespace httpuv::files {
namespace {

// The state of one name, or false when a request for it would find nothing.
bool inspect(int directory, std::string_view rest, const Opener& opener, Row& row) {
  struct stat status;
  if (::fstatat(directory, row.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (S_ISLNK(status.st_mode)) {
    const std::string path = rest.empty() ? row.name : std::string(rest) + "/" + row.name;
    const Opened target = opener.open(path);
    if (target.error != 0) return false;
    status = target.status;
  }
  row.directory = S_ISDIR(status.st_mode);
  if (!row.directory && !S_ISREG(status.st_mode)) return false;
  const Stamp stamp = stamp_of(status);
  row.size = stamp.size;
  row.modified = stamp.modified;
  return true;
}

// Takes a run of digits off the text, without leading zeros.
std::string_view take_number(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && base::is_digit(text[end])) ++end;
  std::string_view number = text.substr(0, end);
  text.remove_prefix(end);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return number;
}

std::weak_ordering compare_names(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (base::is_digit(a.front()) && base::is_digit(b.front())) {
      const std::string_view x = take_number(a);
      const std::string_view y = take_number(b);
      if (const auto order = x.size() <=> y.size(); order != 0) return order;
      if (const int order = x.compare(y); order != 0) return order <=> 0;
      continue;
    }
    const auto order = static_cast<unsigned char>(base::to_lower(a.front())) <=>
                       static_cast<unsigned char>(base::to_lower(b.front()));
    if (order != 0) return order;
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  return a.size() <=> b.size();
}

// By the column that was asked for alone.
std::weak_ordering compare_column(const Row& a, const Row& b, RowOrder order) {
  switch (order) {
    case RowOrder::kName:
      break;
    case RowOrder::kSize:
      if (a.directory) return std::weak_ordering::equivalent;
      return a.size <=> b.size;
    case RowOrder::kTime:
      return a.modified <=> b.modified;
  }
  const std::weak_ordering result = compare_names(a.name, b.name);
  return result != 0 ? result : std::weak_ordering(a.name.compare(b.name) <=> 0);
}

}  // namespace

Rows read_directory(base::Descriptor&& directory, std::string_view rest, const Opener& opener,
                    const Options& options) {
  Rows result;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(directory.get()), &::closedir);
  if (stream == nullptr) {
    result.error = errno;
    return result;
  }
  const int fd = directory.release();  // the stream's
  // NOLINTNEXTLINE(concurrency-mt-unsafe): only this thread reads the stream.
  while (const dirent* entry = ::readdir(stream.get())) {
    Row row;
    row.name = entry->d_name;
    const bool hidden = row.name.front() == '.';
    if (row.name == "." || row.name == ".." || (hidden && !options.dotfiles)) continue;
    if (!can_be_named(row.name) || !inspect(fd, rest, opener, row)) continue;
    result.more = result.rows.size() == kMaxRows;
    if (result.more) break;
    result.rows.push_back(std::move(row));
  }
  return result;
}

void sort_rows(std::vector<Row>& rows, RowOrder order, bool descending) {
  std::sort(rows.begin(), rows.end(), [=](const Row& a, const Row& b) {
    if (a.directory != b.directory) return a.directory;
    const std::weak_ordering result = compare_column(a, b, order);
    if (result != 0) return descending ? result > 0 : result < 0;
    return compare_column(a, b, RowOrder::kName) < 0;
  });
}

}  // namespace httpuv::files
