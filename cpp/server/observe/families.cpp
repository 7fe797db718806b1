#include "server/observe/families.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>

namespace httpuv::server {

namespace {

using Buckets = std::array<std::uint64_t, DurationHistogram::kBounds.size() + 1>;

struct Times {
  Buckets buckets{};
  std::uint64_t sum_ns = 0;

  void add(const DurationHistogram& other) {
    for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += other.bucket(i);
    sum_ns += other.sum_ns();
  }
};

std::string number(double value) {
  std::array<char, 32> text{};
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  const int size = whole ? std::snprintf(text.data(), text.size(), "%.0f", value)
                         : std::snprintf(text.data(), text.size(), "%.9g", value);
  return {text.data(), static_cast<std::size_t>(size)};
}

using Labels = std::vector<std::pair<std::string_view, std::string>>;

void add_histogram(Family& family, const Labels& labels, const Times& times) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < times.buckets.size(); ++i) {
    count += times.buckets[i];
    Labels with = labels;
    with.emplace_back("le", i < DurationHistogram::kBounds.size()
                                ? number(DurationHistogram::kBounds[i])
                                : "+Inf");
    family.samples.push_back({"_bucket", std::move(with), static_cast<double>(count)});
  }
  family.samples.push_back({"_sum", labels, static_cast<double>(times.sum_ns) / 1e9});
  family.samples.push_back({"_count", labels, static_cast<double>(count)});
}

class Report {
 public:
  explicit Report(const MetricsMemory& memory) {
    for (std::size_t i = 0; i < memory.used(); ++i) places_.push_back(&memory.at(i));
  }

  template <class F>
  [[nodiscard]] double sum(F&& of) const {
    std::uint64_t total = 0;
    for (const Metrics* each : places_) total += of(*each);
    return static_cast<double>(total);
  }

  void single(std::string_view name, std::string_view type, std::string_view help, double value) {
    all_.push_back({name, type, help, {{{}, {}, value}}});
  }
  template <class F>
  void count(std::string_view name, std::string_view help, F&& of) {
    single(name, "counter", help, sum(of));
  }
  template <class F>
  void gauge(std::string_view name, std::string_view help, F&& of) {
    single(name, "gauge", help, sum(of));
  }

  void answers();
  void connections();
  void queue();
  void refusals();
  void rest();
  void broker();
  void workers();

  std::vector<Family> take() { return std::move(all_); }

 private:
  std::vector<const Metrics*> places_;
  std::vector<Family> all_;
};

void Report::answers() {
  Family requests{"http_server_requests_total",
                  "counter",
                  "Requests that were answered, or ended without an answer (status 0).",
                  {}};
  Family duration{"http_server_request_duration_seconds",
                  "histogram",
                  "From the first line of a request to the end of its answer.",
                  {}};
  for (std::size_t m = 0; m < kMethodNames.size(); ++m) {
    for (std::size_t k = 0; k < kAnsweredByNames.size(); ++k) {
      std::map<std::size_t, std::uint64_t> statuses;
      Times times;
      for (const Metrics* place : places_) {
        const Answered& answered = place->answered[m][k];
        if (answered.all.get() == 0) continue;
        times.add(answered.took);
        for (std::size_t s = 0; s < Answered::kStatuses; ++s) {
          if (const std::uint64_t n = answered.statuses[s].get()) statuses[s] += n;
        }
      }
      if (statuses.empty()) continue;
      const Labels labels{{"method", std::string(kMethodNames[m])},
                          {"kind", std::string(kAnsweredByNames[k])}};
      for (const auto& [slot, n] : statuses) {
        Labels with = labels;
        with.emplace_back("status", std::to_string(Answered::status_of(slot)));
        requests.samples.push_back({{}, std::move(with), static_cast<double>(n)});
      }
      add_histogram(duration, labels, times);
    }
  }
  all_.push_back(std::move(requests));
  all_.push_back(std::move(duration));
}

void Report::connections() {
  Family states{"http_server_connections", "gauge", "Open connections by what they do.", {}};
  for (std::size_t i = 0; i < kConnectionStateNames.size(); ++i) {
    states.samples.push_back(
        {{}, {{"state", std::string(kConnectionStateNames[i])}}, sum([i](const Metrics& m) {
           return m.gauges.connections[i].load();
         })});
  }
  all_.push_back(std::move(states));
  count("http_server_connections_accepted_total", "Connections that were accepted.",
        [](const Metrics& m) { return m.counters.accepted.get(); });
  count("http_server_accept_failures_total", "Connections that the system had no room for.",
        [](const Metrics& m) { return m.counters.accept_failures.get(); });
  count("http_server_connections_timed_out_total", "Connections that a deadline has ended.",
        [](const Metrics& m) { return m.counters.timed_out.get(); });
  count("http_server_received_bytes_total", "Bytes that came from clients.",
        [](const Metrics& m) { return m.bytes_in.get(); });
  count("http_server_sent_bytes_total", "Bytes that went to clients.",
        [](const Metrics& m) { return m.bytes_out.get(); });
}

void Report::queue() {
  gauge("httpuv_requests_in_flight", "Requests that Python has and has not answered.",
        [](const Metrics& m) { return m.counters.in_flight.get(); });
  gauge("httpuv_queue_depth", "Events, such as requests, that Python has not begun to handle.",
        [](const Metrics& m) {
          const std::uint64_t handed = m.gauges.handed.load();
          const std::uint64_t begun = m.gauges.begun.load();
          return handed > begun ? handed - begun : 0;
        });
  const std::uint64_t now = steady_ns();
  double oldest = 0;
  double stuck = 0;
  for (const Metrics* place : places_) {
    if (place->gauges.pid.load() == 0) continue;
    const std::size_t first = std::min<std::size_t>(place->gauges.first.load(), places_.size() - 1);
    oldest = std::max(oldest, oldest_seconds(*place, now));
    stuck = std::max(stuck, stuck_seconds(places_[first]->callbacks, *place, now));
  }
  single("httpuv_queue_oldest_seconds", "gauge",
         "How long the oldest event has waited for Python; of several workers the longest.",
         oldest);
  single("httpuv_python_stuck_seconds", "gauge",
         "How long Python has been in one callback, or begun none of those that wait.", stuck);
  Family callbacks{
      "httpuv_callback_duration_seconds", "histogram", "Time in Python's callbacks.", {}};
  Times times;
  for (const Metrics* place : places_) times.add(place->callbacks.took);
  add_histogram(callbacks, {}, times);
  all_.push_back(std::move(callbacks));
  count("httpuv_gil_waits_total", "How often a thread of the server asked for the GIL.",
        [](const Metrics& m) { return m.gil_waits.get(); });
  single("httpuv_gil_wait_seconds_total", "counter", "How long they waited for it.",
         sum([](const Metrics& m) { return m.gil_wait_ns.get(); }) / 1e9);
}

void Report::refusals() {
  Family refused{"http_server_refused_total",
                 "counter",
                 "Requests and messages that were refused: broken, over a limit, not allowed.",
                 {}};
  std::map<std::pair<int, std::string>, std::uint64_t> by_reason;
  for (const Metrics* place : places_) {
    for (std::size_t i = 0; i < place->refusals.size(); ++i) {
      const RefusalTable::Entry& entry = place->refusals.entry(i);
      by_reason[{entry.status.load(), entry.reason.data()}] += entry.count.get();
    }
  }
  for (const auto& [key, n] : by_reason) {
    refused.samples.push_back({{},
                               {{"status", std::to_string(key.first)}, {"reason", key.second}},
                               static_cast<double>(n)});
  }
  all_.push_back(std::move(refused));
  count("httpuv_overloaded_total", "Requests refused because the whole server had no room.",
        [](const Metrics& m) { return m.counters.overloaded.get(); });
}

void Report::rest() {
  Family messages{"httpuv_websocket_messages_total", "counter", "Messages of WebSockets.", {}};
  messages.samples = {
      {{}, {{"direction", "received"}}, sum([](const Metrics& m) { return m.ws_received.get(); })},
      {{}, {{"direction", "sent"}}, sum([](const Metrics& m) { return m.ws_sent.get(); })}};
  all_.push_back(std::move(messages));
  count("httpuv_websocket_dropped_total", "Messages for WebSockets that do not read.",
        [](const Metrics& m) { return m.ws_dropped.get(); });
  count("httpuv_published_total", "Messages that were published to topics.",
        [](const Metrics& m) { return m.counters.published.get(); });
  count("httpuv_topic_dropped_total", "Messages of topics for subscribers that were behind.",
        [](const Metrics& m) { return m.counters.topic_dropped.get(); });
  count("httpuv_topic_closed_total", "Subscribers of topics closed because they were behind.",
        [](const Metrics& m) { return m.counters.topic_closed.get(); });
  count("httpuv_tls_handshakes_total", "TLS handshakes that were completed.",
        [](const Metrics& m) { return m.counters.tls_handshakes.get(); });
  count("httpuv_tls_resumed_total", "Those of them that have resumed a session.",
        [](const Metrics& m) { return m.counters.tls_resumed.get(); });
  count("httpuv_tls_failures_total", "TLS handshakes that have failed.",
        [](const Metrics& m) { return m.counters.tls_failures.get(); });
  count("httpuv_access_log_dropped_total", "Answers that the access log had no room for.",
        [](const Metrics& m) { return m.counters.log_dropped.get(); });
  gauge("httpuv_topics", "Topics that are known; each I/O thread has its own.",
        [](const Metrics& m) { return m.gauges.topics.load(); });
  gauge("httpuv_topic_subscriptions", "Subscriptions of WebSockets to topics.",
        [](const Metrics& m) { return m.gauges.subscriptions.load(); });
  gauge("httpuv_held_memory_bytes", "Bytes held in memory for clients and the application.",
        [](const Metrics& m) { return m.gauges.memory_bytes.load(); });
  gauge("httpuv_held_disk_bytes", "Bytes held in temporary files.",
        [](const Metrics& m) { return m.gauges.disk_bytes.load(); });
}

void Report::broker() {
  std::uint64_t any = 0;
  std::uint64_t away = 0;
  for (const Metrics* place : places_) {
    const auto state = static_cast<BrokerState>(place->gauges.broker.load());
    if (state != BrokerState::kNone) ++any;
    if (state == BrokerState::kAway || state == BrokerState::kAwayNotReady) ++away;
  }
  if (any == 0) return;
  single("httpuv_broker_away", "gauge", "Processes whose broker of topics cannot be reached.",
         static_cast<double>(away));
  count("httpuv_broker_dropped_total",
        "Messages that a process was too slow for, and has fetched from the broker's history.",
        [](const Metrics& m) { return m.broker_dropped.get(); });
  count("httpuv_broker_renewed_total", "How often a broker's subscriptions were made anew.",
        [](const Metrics& m) { return m.broker_renewed.get(); });
}

void Report::workers() {
  std::size_t processes = 0;
  std::size_t loops = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Gauges& gauges = places_[i]->gauges;
    if (gauges.pid.load() == 0) continue;
    ++loops;
    if (gauges.first.load() == i) ++processes;
  }
  single("httpuv_workers", "gauge", "Processes that serve.", static_cast<double>(processes));
  single("httpuv_io_threads", "gauge", "Threads that do the network, of all processes.",
         static_cast<double>(loops));
}

void escape(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out.append("\\n");
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

std::vector<Family> families(const MetricsMemory& memory, const BuildInfo& build) {
  Report report(memory);
  report.answers();
  report.connections();
  report.queue();
  report.refusals();
  report.rest();
  report.broker();
  report.workers();
  std::vector<Family> all = report.take();
  Labels labels;
  for (const auto& [name, value] : build) labels.emplace_back(name, value);
  all.push_back(
      {"httpuv_build_info", "gauge", "The versions of what serves.", {{{}, std::move(labels), 1}}});
  return all;
}

std::string prometheus_text(const std::vector<Family>& families) {
  std::string out;
  for (const Family& family : families) {
    out.append("# HELP ").append(family.name).append(" ").append(family.help).append("\n");
    out.append("# TYPE ").append(family.name).append(" ").append(family.type).append("\n");
    for (const Sample& sample : family.samples) {
      out.append(family.name).append(sample.suffix);
      char before = '{';
      for (const auto& [name, value] : sample.labels) {
        out.push_back(before);
        out.append(name).append("=\"");
        escape(out, value);
        out.push_back('"');
        before = ',';
      }
      if (!sample.labels.empty()) out.push_back('}');
      out.append(" ").append(number(sample.value)).append("\n");
    }
  }
  return out;
}

}  // namespace httpuv::server
