// The Python functions of topics: publishing, subscriptions and statistics.
//
// Thread: any, with the GIL held; calls that wait for the loop release it.
// Ownership: a Joining belongs to Python; the rest are functions of the server's object.
// Failure: exceptions. Of a server that is stopping or stopped: 0, None, or nothing known.
#pragma once

#include <pybind11/pybind11.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "python/link/link.h"
#include "server/message/message.h"
#include "server/observe/metrics.h"
#include "server/topics/topic_rules.h"

namespace httpuv::python {

// (epoch, offset)
using PyPosition = std::tuple<std::string, std::uint64_t>;

// The answer to a subscription, which the loop gives.
class Joining {
 public:
  Joining(std::shared_ptr<Link> link, std::shared_future<std::optional<server::Joined>> answer)
      : link_(std::move(link)), answer_(std::move(answer)) {}

  // (epoch, offset, recovered), None if the socket was closed. Waits so many seconds at most, and
  // raises TimeoutError then.
  pybind11::object get(double timeout) const;

 private:
  std::shared_ptr<Link> link_;
  std::shared_future<std::optional<server::Joined>> answer_;
};

// str is text, unless `binary`; bytes are binary, unless it is False: then they must be UTF-8.
server::SharedPublication to_publication(pybind11::handle message, const pybind11::object& binary,
                                         std::string&& event, bool compress);

// [(pattern, messages, bytes, ttl seconds, overflow or None)]
server::TopicSettings to_topic_settings(const pybind11::list& rules, bool brokered);

// How a topic is doing, as a dict; None where it is not known.
pybind11::object topic_stats(Link& link, const std::string& topic);
std::vector<std::string> subscriptions(Link& link, const server::ConnectionId& id);

// For brokers. load() sets the position of a topic: messages are (offset, data, binary, event).
void load_topic(Link& link, const std::string& topic, const std::string& epoch,
                std::uint64_t offset, const pybind11::list& messages);
// Topics that wait for their first load(), for another one, and without subscribers.
using Needs =
    std::tuple<std::vector<std::string>, std::vector<std::string>, std::vector<std::string>>;
Needs topic_needs(Link& link);
bool release_topic(Link& link, const std::string& topic);
// For health and metrics; the numbers are increments since the last call.
void set_broker(Link& link, server::BrokerState state, std::uint64_t dropped,
                std::uint64_t renewed);

void register_topics(pybind11::module_& m);

}  // namespace httpuv::python
