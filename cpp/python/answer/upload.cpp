#include "python/answer/upload.h"

namespace httpuv::python {

void Upload::resume() {
  link_->send(server::Continue{id_});
}

void Upload::consumed(std::size_t bytes) {
  link_->send(server::BodyConsumed{id_, bytes});
}

}  // namespace httpuv::python
