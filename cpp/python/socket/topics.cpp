#include "python/socket/topics.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/text/utf8.h"
#include "python/convert/buffer.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// Posts a query to each worker and waits for their answers; where a worker does not answer, none.
template <class Query>
auto ask(Link& link, const std::function<Query()>& make) {
  server::Workers& server = link.server();
  using Answer = decltype(std::declval<Query>().answer.get_future().get());
  std::vector<std::future<Answer>> futures;
  for (unsigned i = 0; i < server.count(); ++i) {
    Query query = make();
    auto future = query.answer.get_future();
    if (server.post_to(i, std::move(query))) futures.push_back(std::move(future));
  }
  link.hurry();  // from a callback, too: it waits
  std::vector<Answer> answers;
  const GilRelease release;
  for (auto& each : futures) answers.push_back(each.get());
  return answers;
}

server::Overflow topic_overflow_of(const std::string& name) {
  if (name == "close") return server::Overflow::kClose;
  if (name == "drop") return server::Overflow::kDrop;
  if (name == "callback") return server::Overflow::kTell;
  return server::Overflow::kLatest;
}

}  // namespace

py::object Joining::get(double timeout) const {
  link_->hurry();  // from a callback, too: it waits
  bool there = false;
  {
    const GilRelease release;
    there = answer_.wait_for(std::chrono::duration<double>(timeout)) == std::future_status::ready;
  }
  if (!there) {
    PyErr_SetString(PyExc_TimeoutError, "the topic's broker has not said where the topic stands");
    throw py::error_already_set();
  }
  const std::optional<server::Joined> joined = answer_.get();
  if (!joined) return py::none();
  return py::make_tuple(joined->position.epoch, joined->position.offset, joined->recovered);
}

server::SharedPublication to_publication(py::handle message, const py::object& binary,
                                         std::string&& event, bool compress) {
  std::string_view data;
  std::string copied;
  bool text = PyUnicode_Check(message.ptr()) != 0;
  if (text) {
    Py_ssize_t size = 0;
    const char* const utf8 = PyUnicode_AsUTF8AndSize(message.ptr(), &size);
    if (utf8 == nullptr) throw py::error_already_set();
    data = {utf8, static_cast<std::size_t>(size)};
    if (!binary.is_none() && binary.cast<bool>()) text = false;
  } else if (PyBytes_Check(message.ptr()) != 0) {
    data = {PyBytes_AS_STRING(message.ptr()),
            static_cast<std::size_t>(PyBytes_GET_SIZE(message.ptr()))};
  } else {
    copy_buffer(message, "message", copied);
    data = copied;
  }
  if (!text && !binary.is_none() && !binary.cast<bool>()) {
    base::Utf8Validator validator;
    if (!validator.feed(data) || !validator.complete()) {
      throw py::value_error("message must be UTF-8 where binary is False");
    }
    text = true;
  }
  auto publication = std::make_shared<server::Publication>(text, data, compress);
  publication->event = std::move(event);
  return publication;
}

server::TopicSettings to_topic_settings(const py::list& rules, bool brokered) {
  server::TopicSettings settings;
  settings.brokered = brokered;
  for (const py::handle each : rules) {
    const auto [pattern, messages, bytes, ttl, overflow] = each.cast<
        std::tuple<std::string, std::size_t, std::size_t, double, std::optional<std::string>>>();
    server::TopicRule& rule = settings.rules.emplace_back();
    rule.pattern = pattern;
    rule.history = {messages, bytes, static_cast<std::int64_t>(ttl * 1000)};
    if (overflow) rule.overflow = topic_overflow_of(*overflow);
  }
  return settings;
}

py::object topic_stats(Link& link, const std::string& topic) {
  server::TopicStats stats;
  for (const server::TopicStats& each : ask<server::QueryTopic>(link, [&] {
         server::QueryTopic query;
         query.topic = topic;
         return query;
       })) {
    if (!each.known) continue;
    stats.known = true;
    stats.subscribers += each.subscribers;
    stats.dropped += each.dropped;
    if (each.position.offset < stats.position.offset) continue;  // it is about to be there
    stats.position = each.position;
    stats.messages = std::max(stats.messages, each.messages);
    stats.bytes = std::max(stats.bytes, each.bytes);
  }
  if (!stats.known) return py::none();
  py::dict result;
  result["subscribers"] = stats.subscribers;
  result["epoch"] = stats.position.epoch;
  result["offset"] = stats.position.offset;
  result["messages"] = stats.messages;
  result["bytes"] = stats.bytes;
  result["dropped"] = stats.dropped;
  return result;
}

std::vector<std::string> subscriptions(Link& link, const server::ConnectionId& id) {
  server::QuerySubscriptions query;
  query.id = id;
  auto answer = query.answer.get_future();
  if (!link.send(std::move(query))) return {};
  link.hurry();  // from a callback, too: it waits
  const GilRelease release;
  return answer.get();
}

void load_topic(Link& link, const std::string& topic, const std::string& epoch,
                std::uint64_t offset, const py::list& messages) {
  if (!server::is_epoch(epoch)) {
    throw py::value_error("epoch must be 1 to 64 letters, digits, '-' and '_', not '" + epoch +
                          "'");
  }
  server::TopicLoad load{topic, {epoch, offset}, {}};
  for (const py::handle each : messages) {
    auto [place, data, binary, event] =
        each.cast<std::tuple<std::uint64_t, py::object, bool, std::string>>();
    load.messages.push_back(to_publication(data, py::bool_(binary), std::move(event), true));
    load.messages.back()->offset = place;
  }
  link.send(std::move(load));
}

Needs topic_needs(Link& link) {
  server::TopicNeeds needs;
  for (server::TopicNeeds& each :
       ask<server::QueryTopics>(link, [] { return server::QueryTopics(); })) {
    std::move(each.unloaded.begin(), each.unloaded.end(), std::back_inserter(needs.unloaded));
    std::move(each.behind.begin(), each.behind.end(), std::back_inserter(needs.behind));
    std::move(each.unused.begin(), each.unused.end(), std::back_inserter(needs.unused));
  }
  return {std::move(needs.unloaded), std::move(needs.behind), std::move(needs.unused)};
}

bool release_topic(Link& link, const std::string& topic) {
  const auto answers = ask<server::TopicRelease>(link, [&] {
    server::TopicRelease release;
    release.topic = topic;
    return release;
  });
  return std::all_of(answers.begin(), answers.end(), [](bool released) { return released; });
}

void set_broker(Link& link, server::BrokerState state, std::uint64_t dropped,
                std::uint64_t renewed) {
  server::Metrics& metrics = link.server().metrics().own();
  metrics.gauges.broker = static_cast<std::uint64_t>(state);
  metrics.broker_dropped.add(dropped);
  metrics.broker_renewed.add(renewed);
}

void register_topics(py::module_& m) {
  py::class_<Joining>(m, "Joining").def("get", &Joining::get, py::arg("timeout"));
}

}  // namespace httpuv::python
