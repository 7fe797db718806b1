// Resolves one static path on a pool thread, and records the conditions under which the result
// stays valid.
//
// Every call blocks; several threads may call one Resolver at once. Failures of the system are a
// kind of finding (kForbidden, kError).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "coding/gzip.h"
#include "files/answer/resolution.h"
#include "files/cache/cache_limits.h"
#include "files/disk/entry.h"
#include "files/disk/opener.h"
#include "files/disk/stamp.h"
#include "files/pages/listing_view.h"
#include "files/routes/route_table.h"

namespace httpuv::files {

// A path that led to exactly this.
struct Witness {
  std::string path;
  Stamp stamp;
  bool directory = false;
  bool local = false;  // a stat of it needs no network
};

struct Lookup {
  const Route* route = nullptr;  // both outlive the call
  const MimeTable* mime = nullptr;
  std::string rest;
  bool directory = false;
  bool hidden = false;  // not to be looked for
  ListingView view;     // of a listing, if it comes to that
};

struct Finding {
  ResolutionKind kind = ResolutionKind::kNotFound;
  int error = 0;
  std::unique_ptr<FileEntry> entry;
  std::string location;
  // The entry's gzip form is still to be made: with code_some(), not on a disk's thread.
  std::unique_ptr<coding::GzipBody> gzip;
  std::string plain;  // what is coded, where the entry has only a descriptor

  // Whether the finding may be kept: true as long as every witness is what it was.
  bool settled = true;
  std::vector<Witness> witnesses;
  // The leading part of `rest` that does not exist: nothing below it does.
  std::optional<std::string> absent;
};

class Resolver {
 public:
  explicit Resolver(const CacheLimits& limits);

  // Safe to call on several threads at once.
  Finding resolve(const Lookup& lookup);

 private:
  CacheLimits limits_;
  OpenerState opener_state_;
};

// Goes on with the gzip form of what was found. True: there is more to do.
bool code_some(Finding& finding, const Options& options);

}  // namespace httpuv::files
