#include "server/connection/file_sending.h"

#include <memory>

#include "server/connection/connection.h"
#include "server/connection/context.h"

namespace httpuv::server {

namespace {

// Up to here a body in memory is copied behind its head.
constexpr std::size_t kCopy = 8 * 1024;

// The file was changed while it was sent: the connection is cut, so that the client notices.
net::FileRef file_of(const files::Answer& answer) {
  return {answer.source->fd.get(), answer.source->stamp.device,
          std::shared_ptr<const void>(answer.keep, answer.source), [](const void* entry) {
            return static_cast<const files::FileEntry*>(entry)->unchanged();
          }};
}

}  // namespace

void send_answer(Context& context, Connection& connection, std::string_view head,
                 const files::Answer& answer) {
  const bool short_memory =
      answer.body == files::BodyKind::kMemory && answer.memory.size() <= kCopy;
  switch (answer.body) {
    case files::BodyKind::kNone:
      context.outbox.open(connection).append(head);
      return;
    case files::BodyKind::kText:
      context.outbox.open(connection).append(head).append(answer.text);
      return;
    case files::BodyKind::kMemory:
      if (short_memory) {
        context.outbox.open(connection).append(head).append(answer.memory);
        return;
      }
      context.outbox.flush(connection);
      connection.write_shared(head, answer.memory, answer.keep);
      return;
    case files::BodyKind::kFile:
      context.outbox.flush(connection);
      connection.send_file(head, file_of(answer), answer.offset, answer.length);
      return;
    case files::BodyKind::kMultipart:
      break;
  }
  context.outbox.open(connection).append(head);
  context.outbox.flush(connection);
  for (const files::Part& part : answer.parts) {
    connection.send_file(part.preamble, file_of(answer), part.offset, part.length);
  }
  connection.write(answer.text);
}

}  // namespace httpuv::server
