#include "base/promised.h"

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <utility>
#include <vector>

namespace httpuv::base {
namespace {

TEST_CASE("a question that is dropped is answered") {
  std::future<bool> yes;
  std::future<int> nothing;
  std::future<void> over;
  {
    Promised<bool> question{true};
    yes = question.get_future();
    Promised<int> other;
    nothing = other.get_future();
    Promised<void> last;
    over = last.get_future();
  }
  CHECK(yes.get());
  CHECK(nothing.get() == 0);
  over.get();
}

TEST_CASE("an answer is given once, wherever the question was moved") {
  Promised<int> question;
  std::future<int> answer = question.get_future();
  std::vector<Promised<int>> held;
  held.push_back(std::move(question));
  held.emplace_back();
  held.back() = std::move(held.front());
  held.erase(held.begin());
  CHECK(answer.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  held.back().set_value(7);
  held.clear();
  CHECK(answer.get() == 7);
}

}  // namespace
}  // namespace httpuv::base
