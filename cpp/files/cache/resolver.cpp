#include "files/cache/resolver.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/descriptor.h"
#include "base/encode/percent.h"
#include "coding/compressible.h"
#include "coding/gzip.h"
#include "files/answer/fields.h"
#include "files/disk/loader.h"
#include "files/pages/listing.h"

namespace httpuv::files {
namespace {

// Below this the header of a coded answer costs what the coding saves.
constexpr std::uint64_t kWorthGzip = 256;

bool means_not_found(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:  // links in a circle, or one of the kernel's magic ones
    case EXDEV:  // out of the root
    case ENAMETOOLONG:
    case EINVAL:
    case EILSEQ:  // not a name on that file system
    case ENXIO:   // a socket, a device without hardware
    case ENODEV:
      return true;
    default:
      return false;
  }
}

std::string join(std::string_view directory, std::string_view name) {
  if (directory.empty() || name.empty()) return std::string(directory.empty() ? name : directory);
  std::string path(directory);
  if (!path.ends_with('/')) path += '/';
  return path.append(name);
}

// An older form is of another state of the file. Tools that keep the time of the original may cut
// it to seconds.
bool as_new_as(const Stamp& form, const Stamp& file) {
  if (form.modified >= file.modified) return true;
  return form.modified == FileTime{file.modified.seconds, 0};
}

// One run of Resolver::resolve(). `root_path` and `rest` are those of the route, unless the route
// is a file: then its directory and its name.
class Search {
 public:
  Search(const Lookup& lookup, const CacheLimits& limits, OpenerState& state)
      : lookup_(lookup), options_(lookup.route->options), limits_(limits), state_(state) {}

  Finding run();

 private:
  bool open_root_directory();
  void find();
  void found_file(const std::string& rest, Opened&& file);
  void found_directory(Opened&& directory);
  void found_listing(Opened&& directory);
  void not_found();
  void failed(int error);

  void add_coded_forms(const std::string& rest, const Stamp& stamp, FileEntry& entry);
  void want_gzip(int fd, FileEntry& entry);
  void find_absence();
  void witness(const std::string& rest, const Stamp& stamp, bool directory);
  std::optional<Stamp> witness_now(const std::string& directory);
  [[nodiscard]] Opener opener() const {
    return Opener(root_.get(), options_.symlinks || route_is_file_, state_);
  }

  const Lookup& lookup_;
  const Options& options_;
  const CacheLimits& limits_;
  OpenerState& state_;
  std::string root_path_;
  std::string rest_;
  bool route_is_file_ = false;
  base::Descriptor root_;
  Finding finding_;
};

Finding Search::run() {
  root_path_ = lookup_.route->local_path;
  rest_ = lookup_.rest;
  if (open_root_directory()) find();
  return std::move(finding_);
}

bool Search::open_root_directory() {
  root_ = base::Descriptor(open_root(root_path_));
  if (root_.valid()) return true;
  if (errno != ENOTDIR) {
    finding_.settled = false;
    if (means_not_found(errno)) {
      not_found();
    } else {
      failed(errno);
    }
    return false;
  }
  // The route is one file, for its url and nothing below it. The root's url is "/" either way.
  const std::size_t slash = root_path_.rfind('/');
  const bool exact = rest_.empty() && (!lookup_.directory || lookup_.route->url.empty());
  if (!exact || lookup_.hidden || slash == std::string::npos) {
    finding_.settled = false;
    not_found();
    return false;
  }
  route_is_file_ = true;
  rest_ = root_path_.substr(slash + 1);
  root_path_.resize(std::max<std::size_t>(slash, 1));
  root_ = base::Descriptor(open_root(root_path_));
  if (!root_.valid()) failed(errno);
  return root_.valid();
}

void Search::find() {
  if (lookup_.hidden) return not_found();
  Opened opened = opener().open(rest_);
  if (opened.is_directory()) return found_directory(std::move(opened));
  if (opened.is_file()) {
    if (!lookup_.directory || route_is_file_) return found_file(rest_, std::move(opened));
    witness(rest_, stamp_of(opened.status), false);
    return not_found();
  }
  if (!means_not_found(opened.error)) return failed(opened.error);
  if (opened.error == ENOENT) {
    find_absence();
  } else {
    finding_.settled = false;
  }
  not_found();
}

void Search::found_file(const std::string& rest, Opened&& file) {
  const std::size_t slash = rest.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : rest.substr(0, slash);
  const std::string type = content_type(*lookup_.mime, rest, options_.html_charset);
  const std::string_view own_coding = coding_of(rest, type);
  const bool coded = !own_coding.empty() || find_header(options_, "content-encoding") != nullptr;
  const bool look_for_forms = options_.precompressed && !coded && !coding::already_compressed(type);
  // Before looking: what appears later changes it.
  if (look_for_forms) witness_now(folder);

  // Kept for gzip; load_file() may drop the descriptor.
  const bool compress = options_.gzip && !coded && coding::worth_compressing(type);
  const base::Descriptor again(compress ? ::fcntl(file.fd.get(), F_DUPFD_CLOEXEC, 0) : -1);

  Loaded loaded = load_file(std::move(file), limits_.small_file);
  if (loaded.error != 0) return failed(loaded.error);
  FileEntry& entry = *loaded.entry;
  entry.content_type = type;
  witness(rest, entry.stamp, false);
  if (look_for_forms) add_coded_forms(rest, entry.stamp, entry);
  if (compress) want_gzip(again.get(), entry);
  // Otherwise code_some() does, when it is known which forms there are.
  if (finding_.gzip == nullptr) {
    write_file_fields(entry, options_, {own_coding, entry.negotiated()});
  }
  if (!entry.sized) finding_.settled = false;  // /proc: its content changes, its stamp does not
  finding_.kind = ResolutionKind::kFile;
  finding_.entry = std::move(loaded.entry);
}

void Search::add_coded_forms(const std::string& rest, const Stamp& stamp, FileEntry& entry) {
  for (const coding::Coding coding :
       {coding::Coding::kBrotli, coding::Coding::kZstd, coding::Coding::kGzip}) {
    const std::string path = rest + std::string(coding_extension(coding));
    Opened form = opener().open(path);
    if (!form.is_file()) continue;
    const Stamp form_stamp = stamp_of(form.status);
    const bool usable = as_new_as(form_stamp, stamp);
    Loaded loaded = usable ? load_file(std::move(form), limits_.small_file) : Loaded{};
    witness(path, loaded.entry ? loaded.entry->stamp : form_stamp, false);
    if (loaded.error != 0) finding_.settled = false;
    if (loaded.entry == nullptr) continue;
    loaded.entry->content_type = entry.content_type;
    write_file_fields(*loaded.entry, options_, {coding_name(coding), true});
    entry.variants[static_cast<std::size_t>(coding)] = std::move(loaded.entry);
  }
}

// Reads what is to be coded; coding is not for a disk's thread.
void Search::want_gzip(int fd, FileEntry& entry) {
  const auto& place = entry.variants[static_cast<std::size_t>(coding::Coding::kGzip)];
  if (place != nullptr || entry.size < kWorthGzip || entry.size > limits_.gzip_file) return;
  struct stat status;
  if (!entry.in_memory && (read_whole(fd, limits_.gzip_file, status, finding_.plain) != 0 ||
                           stamp_of(status) != entry.stamp)) {
    finding_.settled = false;  // it is being written: without the coded form, for now
    return;
  }
  finding_.gzip =
      std::make_unique<coding::GzipBody>(entry.in_memory ? entry.content : finding_.plain);
}

void Search::found_directory(Opened&& directory) {
  witness(rest_, stamp_of(directory.status), true);
  std::string index;
  Opened file;
  for (const std::string& name : options_.index_names) {
    if (!options_.indexhtml) break;
    index = join(rest_, name);
    file = opener().open(index);
    if (file.is_file()) break;
  }
  if (!file.is_file() && !options_.listing) return not_found();
  if (!lookup_.directory) {
    // Relative links of the page would break without the slash.
    finding_.kind = ResolutionKind::kRedirect;
    finding_.location = base::percent_encode_path(lookup_.route->url + "/" + lookup_.rest);
    if (!finding_.location.ends_with('/')) finding_.location += '/';
    return;
  }
  if (file.is_file()) return found_file(index, std::move(file));
  found_listing(std::move(directory));
}

void Search::found_listing(Opened&& directory) {
  finding_.settled = false;  // files in it may change without a trace in the directory
  const std::string& route = lookup_.route->url;
  const std::string url = rest_.empty() ? route + "/" : route + "/" + rest_ + "/";
  Listing listing = make_listing({std::move(directory.fd), url, route, rest_}, opener(), options_,
                                 *lookup_.mime, lookup_.view);
  if (listing.error != 0) return failed(listing.error);
  finding_.kind = ResolutionKind::kListing;
  finding_.entry = make_entry(std::move(listing.body), std::nullopt);
  finding_.entry->content_type = listing.content_type;
  // Rows of a table shrink to a tenth. code_some() writes the fields.
  finding_.gzip = std::make_unique<coding::GzipBody>(finding_.entry->content);
}

void Search::not_found() {
  if (options_.fallthrough) {
    finding_.kind = ResolutionKind::kFallthrough;
    return;
  }
  finding_.kind = ResolutionKind::kNotFound;
  if (options_.not_found.empty() || !root_.valid() || route_is_file_) return;
  Opened page = opener().open(options_.not_found);
  Loaded loaded = page.is_file() ? load_file(std::move(page), limits_.small_file) : Loaded{};
  if (loaded.entry == nullptr) {
    finding_.settled = false;
    return;
  }
  witness(options_.not_found, loaded.entry->stamp, false);
  loaded.entry->content_type =
      content_type(*lookup_.mime, options_.not_found, options_.html_charset);
  write_page_fields(*loaded.entry, options_);
  finding_.entry = std::move(loaded.entry);
}

void Search::failed(int error) {
  finding_.settled = false;
  finding_.error = error;
  const bool denied = error == EACCES || error == EPERM;
  finding_.kind = denied ? ResolutionKind::kForbidden : ResolutionKind::kError;
}

// The first part of the path that is missing, witnessed by the directory it is missing from.
void Search::find_absence() {
  std::size_t begin = 0;
  while (begin < rest_.size()) {
    const std::size_t end = std::min(rest_.find('/', begin), rest_.size());
    const std::string part = rest_.substr(0, end);
    const std::string folder = rest_.substr(0, begin == 0 ? 0 : begin - 1);
    struct stat status;
    const auto is_missing = [&] {
      return ::fstatat(root_.get(), part.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 &&
             errno == ENOENT;
    };
    if (is_missing()) {
      // Once more behind the stamp: it may just have been made.
      if (witness_now(folder) && is_missing()) {
        finding_.absent = part;
        return;
      }
      break;
    }
    begin = end + 1;
  }
  finding_.settled = false;
}

void Search::witness(const std::string& rest, const Stamp& stamp, bool directory) {
  std::string path = join(root_path_, rest);
  const auto known = std::find_if(finding_.witnesses.begin(), finding_.witnesses.end(),
                                  [&](const Witness& other) { return other.path == path; });
  if (known != finding_.witnesses.end()) return;
  if (is_fresh(stamp, wall_clock())) finding_.settled = false;
  const bool local = is_local(path);
  finding_.witnesses.push_back({std::move(path), stamp, directory, local});
}

std::optional<Stamp> Search::witness_now(const std::string& directory) {
  const std::optional<Stamp> stamp = take_stamp(join(root_path_, directory));
  if (stamp) {
    witness(directory, *stamp, true);
  } else {
    finding_.settled = false;
  }
  return stamp;
}

}  // namespace

bool code_some(Finding& finding, const Options& options) {
  if (finding.gzip == nullptr) return false;
  if (finding.gzip->code()) return true;
  FileEntry& entry = *finding.entry;
  constexpr coding::Coding kGzip = coding::Coding::kGzip;
  const auto write_fields = [&](FileEntry& form, std::string_view coding) {
    if (finding.kind == ResolutionKind::kListing) {
      write_listing_fields(form, options, coding);
    } else {
      write_file_fields(form, options, {coding, entry.negotiated()});
    }
  };
  std::optional<std::string> coded = std::exchange(finding.gzip, nullptr)->take();
  std::string().swap(finding.plain);
  if (coded && coded->size() + kWorthGzip / 4 <= entry.size) {
    std::unique_ptr<FileEntry> form = make_entry(std::move(*coded), entry.last_modified);
    form->content_type = entry.content_type;
    FileEntry& made = *form;
    entry.variants[static_cast<std::size_t>(kGzip)] = std::move(form);
    write_fields(made, coding_name(kGzip));
  }
  write_fields(entry, "");
  return false;
}

Resolver::Resolver(const CacheLimits& limits) : limits_(limits) {
  opener_state_.use_openat2 = limits.use_openat2;
}

Finding Resolver::resolve(const Lookup& lookup) {
  return Search(lookup, limits_, opener_state_).run();
}

}  // namespace httpuv::files
