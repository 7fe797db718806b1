// What is held is counted while it is held, on whichever thread it is freed.
#include <doctest/doctest.h>

#include <thread>
#include <utility>
#include <vector>

#include "base/charge.h"

namespace httpuv::base {
namespace {

TEST_CASE("a charge counts as long as it lives") {
  Ledger ledger;
  std::uint64_t tally = 0;
  {
    Charge charge(ledger, 1, 100, &tally);
    Charge other(ledger, 2, 7);
    CHECK(ledger.used(1) == 100);
    CHECK(ledger.used(2) == 7);
    CHECK(tally == 100);
    charge.grow(20);
    CHECK(ledger.used(1) == 120);
    charge.resize(5);
    CHECK(ledger.used(1) == 5);
    CHECK(tally == 5);
    CHECK(charge.bytes() == 5);
  }
  CHECK(ledger.used(1) == 0);
  CHECK(ledger.used(2) == 0);
  CHECK(tally == 0);
}

TEST_CASE("a charge that moves counts once") {
  Ledger ledger;
  Charge first(ledger, 0, 10);
  Charge second = std::move(first);
  CHECK(first.bytes() == 0);
  CHECK(ledger.used(0) == 10);
  Charge third(ledger, 0, 3);
  second = std::move(third);
  CHECK(second.bytes() == 3);
  third = Charge();
  CHECK(ledger.used(0) == 3);
  second = {};
  CHECK(ledger.used(0) == 0);
}

TEST_CASE("a charge without a ledger counts nothing") {
  Charge charge;
  charge.resize(100);
  CHECK(charge.bytes() == 0);
  CHECK(charge.share().bytes() == 0);
}

TEST_CASE("any thread may give back what is shared") {
  const auto ledger = std::make_shared<Ledger>();
  std::vector<SharedCharge> shared;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    Charge charge(*ledger, 3, i);
    shared.push_back(charge.share());
    CHECK(charge.bytes() == 0);
  }
  CHECK(ledger->used(3) == 5050);
  Charge own(*ledger, 3, 50);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i) {
    threads.emplace_back([&shared, i] {
      for (std::size_t k = i; k < shared.size(); k += 4) shared[k] = {};
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(ledger->used(3) == 50);
}

TEST_CASE("a shared charge may outlive all but its ledger") {
  SharedCharge shared;
  std::weak_ptr<Ledger> watched;
  {
    const auto ledger = std::make_shared<Ledger>();
    watched = ledger;
    shared = Charge(*ledger, 0, 1).share();
    CHECK(shared.bytes() == 1);
  }
  CHECK_FALSE(watched.expired());
  shared = {};
  CHECK(watched.expired());
}

}  // namespace
}  // namespace httpuv::base
