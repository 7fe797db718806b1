#include "net/tls/session/identity.h"

#include <sys/stat.h>

#include <utility>

namespace httpuv::net::tls {

std::shared_ptr<Identity> Identity::open(const OpenSsl& api, TlsSettings settings, Fault* fault) {
  auto identity = std::make_shared<Identity>(api, std::move(settings));
  return identity->reload(fault) ? identity : nullptr;
}

std::shared_ptr<const Context> Identity::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

bool Identity::reload(Fault* fault) {
  const std::lock_guard lock(loading_);
  seen_ = stamps();
  return load(fault);
}

Identity::Outcome Identity::refresh(Fault* fault) {
  const std::lock_guard lock(loading_);
  const Stamps now = stamps();
  if (now == seen_) return Outcome::kUnchanged;
  seen_ = now;
  return load(fault) ? Outcome::kReloaded : Outcome::kFailed;
}

bool Identity::load(Fault* fault) {
  std::shared_ptr<const Context> context = Context::load(api_, settings_, fault);
  if (context == nullptr) return false;
  const std::lock_guard lock(mutex_);
  current_.swap(context);
  return true;
}

Identity::Stamps Identity::stamps() const {
  return {stamp_of(settings_.certificate_file), stamp_of(settings_.key_file),
          settings_.ca_file.empty() ? Stamp{} : stamp_of(settings_.ca_file)};
}

Identity::Stamp Identity::stamp_of(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return {};
#ifdef __APPLE__
  const timespec modified = status.st_mtimespec;
#else
  const timespec modified = status.st_mtim;
#endif
  return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
          static_cast<std::int64_t>(status.st_size), static_cast<std::int64_t>(modified.tv_sec),
          static_cast<std::int64_t>(modified.tv_nsec)};
}

}  // namespace httpuv::net::tls
