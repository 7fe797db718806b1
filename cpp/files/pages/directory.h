// Reads a directory for its listing.
//
// Pool threads: blocks. Shows what a request would get: no hidden names, no special files, no link
// that leads out of the root (unless the options let it), no name that no request can have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/descriptor.h"
#include "files/disk/opener.h"
#include "files/disk/stamp.h"
#include "files/routes/options.h"

namespace httpuv::files {

// More names than this are left out: a page of more would be of no use in a browser.
inline constexpr std::size_t kMaxRows = 20'000;

struct Row {
  std::string name;
  bool directory = false;
  std::uint64_t size = 0;
  FileTime modified;
};

enum class RowOrder : std::uint8_t { kName, kSize, kTime };

struct Rows {
  int error = 0;  // errno; then there are none
  std::vector<Row> rows;
  bool more = false;  // some were left out
};

// `rest`: where the directory lies below the root of `opener`.
Rows read_directory(base::Descriptor&& directory, std::string_view rest, const Opener& opener,
                    const Options& options);

// Directories first; of the same size or time, by name, from A to Z. Names are compared without
// regard to the case of ASCII letters, and numbers in them by value.
void sort_rows(std::vector<Row>& rows, RowOrder order, bool descending);

}  // namespace httpuv::files
