// Bytes that belong to another owner and are sent from where they are, without a copy.
//
// Thread: any. The thread that holds the last reference releases the owner, so that must not wait.
// Owner: shared; the bytes do not change and stay valid as long as it lives. Who holds it charges
// the bytes as if they were its own. Failure: none.
#pragma once

#include <memory>
#include <string_view>

namespace httpuv::base {

struct Borrowed {
  std::string_view bytes;
  std::shared_ptr<const void> owner;
};

}  // namespace httpuv::base
