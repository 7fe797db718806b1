#include "python/gateway/mounts.h"

#include <algorithm>

#include "python/application/application.h"
#include "python/convert/environment.h"
#include "python/convert/names.h"
#include "python/gateway/exchange.h"
#include "python/gateway/start_response.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// A Rook application below a path: the environment with SCRIPT_NAME and the rest of the path.
class RookGateway final : public Gateway {
 public:
  explicit RookGateway(const py::dict& options)
      : call_(options["call"]),
        on_ws_open_(options["on_ws_open"]),
        prefix_(options["prefix"].cast<std::string>()),
        script_name_(latin1_of(prefix_)),
        environment_(options["environ"].cast<py::dict>()) {}

  void request(Application& application, Application::Work& work,
               server::EnvelopePtr&& envelope) override {
    work.environment = build(*envelope);
    application.ask(work, envelope, call_, "call", false);
  }

  void websocket(Application& application, Application::Work& work,
                 server::WsOpenEvent&& event) override {
    work.environment = build(*event.request);
    application.open_rook_socket(event, on_ws_open_, work);
  }

  void listening(const std::string& host, int port) override {
    environment_.set_constant("SERVER_NAME", py::str(port < 0 ? "localhost" : host));
    environment_.set_constant("SERVER_PORT", py::str(port < 0 ? "" : std::to_string(port)));
  }

 private:
  py::dict build(server::Envelope& envelope) {
    const std::string_view path = envelope.request.view(envelope.request.path);
    const py::object rest = latin1_of(path.substr(raw_size(path, prefix_.size())));
    py::dict environment = environment_.build(envelope);
    environment["SCRIPT_NAME"] = script_name_;
    environment["PATH_INFO"] = rest;
    return environment;
  }

  const py::object call_;
  const py::object on_ws_open_;
  const std::string prefix_;
  const py::object script_name_;
  Environment environment_;
};

}  // namespace

std::shared_ptr<Gateway> make_rook(const py::dict& options) {
  return std::make_shared<RookGateway>(options);
}

std::vector<MountedGateway> make_gateways(const py::list& mounts) {
  std::vector<MountedGateway> result;
  for (const py::handle each : mounts) {
    const auto options = py::reinterpret_borrow<py::dict>(each);
    MountedGateway mounted;
    mounted.mount.prefix = options["prefix"].cast<std::string>();
    server::Abilities& can = mounted.mount.abilities;
    const auto interface = options["interface"].cast<std::string>();
    if (interface == "rook") {
      mounted.gateway = make_rook(options);
      can.call = !options["call"].is_none();
      can.websocket = !options["on_ws_open"].is_none();
      can.ws_waits = options["ws_waits"].cast<bool>();
    } else if (interface == "wsgi") {
      mounted.gateway = make_wsgi(options);
      can.stream_body = options["stream_body"].cast<bool>();
      can.gather_body = options["gather_body"].cast<std::uint64_t>();
    } else if (interface == "asgi") {
      mounted.gateway = make_asgi(options);
      can.stream_body = true;
      can.gather_body = options["gather_body"].cast<std::uint64_t>();
      can.websocket = can.ws_waits = options["websocket"].cast<bool>();
    } else {
      throw py::value_error("interface must be 'rook', 'wsgi' or 'asgi', not '" + interface + "'");
    }
    result.push_back(std::move(mounted));
  }
  std::stable_sort(result.begin(), result.end(), [](const auto& a, const auto& b) {
    return a.mount.prefix.size() > b.mount.prefix.size();
  });
  return result;
}

void register_gateways(py::module_& module) {
  register_start_response(module);
  register_exchange(module);
}

}  // namespace httpuv::python
