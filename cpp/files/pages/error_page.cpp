#include "files/pages/error_page.h"

#include "base/text/html.h"
#include "files/pages/listing_assets.h"

namespace httpuv::files {
namespace {

constexpr std::string_view kStyle =
    "body{display:grid;place-content:center;min-height:100vh;min-height:100dvh;padding:1.5rem;"
    "text-align:center}"
    "p{margin:0}"
    ".code{font-size:clamp(4rem,18vw,7rem);font-weight:700;line-height:1;letter-spacing:-.04em}"
    "h1{margin:.6rem 0 .25rem;font-size:1.25rem;font-weight:600}"
    ".why{color:var(--mute);max-width:26rem}"
    "a{display:inline-block;margin-top:1.5rem;color:var(--accent)}";

std::string_view explanation(int status) {
  switch (status) {
    case 400:
      return "The server could not make sense of this address.";
    case 403:
      return "You are not allowed to see this.";
    case 404:
      return "There is nothing at this address. It may have been moved or deleted.";
    case 405:
      return "This cannot be done with what is at this address.";
    case 500:
      return "Something went wrong on the server. It has been noted there.";
    case 503:
      return "The server is busy. Please try again in a moment.";
    default:
      return "";
  }
}

}  // namespace

std::string error_page(int status, std::string_view phrase) {
  std::string out;
  out.append(
      "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n"
      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>");
  out.append(base::escape_html(phrase))
      .append("</title>\n<style>")
      .append(kBaseStyle)
      .append(kStyle);
  out.append("</style>\n<main><p class=code>").append(std::to_string(status)).append("</p>\n<h1>");
  out.append(base::escape_html(phrase)).append("</h1>\n<p class=why>").append(explanation(status));
  out.append("</p>\n<a href=\"/\">Go to the start page</a></main>\n</html>\n");
  return out;
}

}  // namespace httpuv::files
