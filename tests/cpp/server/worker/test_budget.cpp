// Each limit of the budget at its edge.
#include <doctest/doctest.h>

#include <memory>

#include "server/worker/answer_size.h"
#include "server/worker/budget.h"

namespace httpuv::server {
namespace {

std::shared_ptr<Budget> make_budget(Budget::Bounds bounds) {
  return std::make_shared<Budget>(bounds);
}

TEST_CASE("memory is the sum of all kinds but the disk's") {
  const auto budget = make_budget({1000, 1000, 1000});
  const base::Charge head = budget->charge(Held::kHeads, 400);
  const base::Charge answer = budget->charge(Held::kAnswers, 500);
  const base::Charge spooled = budget->charge(Held::kSpooled, 900);
  CHECK(budget->memory() == 900);
  CHECK(budget->disk() == 900);
  CHECK(budget->fits(100));
  CHECK_FALSE(budget->fits(101));
  CHECK_FALSE(budget->full());
  {
    const base::Charge rest = budget->charge(Held::kMessagesOut, 100);
    CHECK(budget->fits(0));
    CHECK(budget->full());
    const base::Charge more = budget->charge(Held::kMessagesOut, 1);
    CHECK_FALSE(budget->fits(0));
  }
  CHECK(budget->fits(100));
  CHECK_FALSE(budget->fits(UINT64_MAX));
}

TEST_CASE("a body on disk has the disk's room, one in memory the memory's") {
  using Room = Budget::Room;
  const auto budget = make_budget({100, 1000, UINT64_MAX});
  CHECK(budget->room_for_body(100, 100, 100, false) == Room::kNow);
  CHECK(budget->room_for_body(101, 101, 101, false) == Room::kNever);
  CHECK(budget->room_for_body(1000, 1000, 1000, true) == Room::kNow);
  CHECK(budget->room_for_body(1001, 1001, 1001, true) == Room::kNever);
  const base::Charge spooled = budget->charge(Held::kSpooled, 1);
  CHECK(budget->room_for_body(999, 999, 999, true) == Room::kNow);
  CHECK(budget->room_for_body(1000, 1000, 1000, true) == Room::kLater);
  CHECK(budget->room_for_body(1, 1, 1001, true) == Room::kNever);
  const base::Charge head = budget->charge(Held::kHeads, 1);
  CHECK(budget->room_for_body(99, 99, 99, false) == Room::kNow);
  CHECK(budget->room_for_body(100, 100, 100, false) == Room::kLater);
}

TEST_CASE("bodies have a limit together, wherever they are") {
  using Room = Budget::Room;
  const auto budget = make_budget({UINT64_MAX, UINT64_MAX, 100});
  const base::Charge memory = budget->charge(Held::kBodies, 30);
  const base::Charge spooled = budget->charge(Held::kSpooled, 30);
  const base::Charge head = budget->charge(Held::kHeads, 1000);
  CHECK(budget->room_for_body(40, 40, 40, false) == Room::kNow);
  CHECK(budget->room_for_body(40, 40, 40, true) == Room::kNow);
  CHECK(budget->room_for_body(41, 41, 41, true) == Room::kLater);
  CHECK(budget->room_for_body(101, 101, 101, true) == Room::kNever);
}

TEST_CASE("half of what is free, and 8 GiB at most") {
  constexpr std::uint64_t kMost = std::uint64_t{8} << 30;
  CHECK(default_disk_bytes("/tmp") <= kMost);
  CHECK(default_disk_bytes("/a/folder/that/is/not/there") == kMost);
}

TEST_CASE("a long answer is expected at once, and forgotten slowly") {
  AnswerSize size;
  const std::uint64_t at_first = size.expected();
  CHECK(at_first >= 4096);
  size.note(1 << 20);
  CHECK(size.expected() == 1 << 20);
  size.note(10);
  CHECK(size.expected() < 1 << 20);
  CHECK(size.expected() > (1 << 20) * 9 / 10);
  for (int i = 0; i < 1000; ++i) size.note(10);
  CHECK(size.expected() < at_first);
  CHECK(size.expected() > 10);
}

}  // namespace
}  // namespace httpuv::server
