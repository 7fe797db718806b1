#include "base/text/name_table.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>

using namespace httpuv::base;

namespace {

int alive = 0;

class Named {
 public:
  Named(std::string name, int value) : value(value), name_(std::move(name)) { ++alive; }
  Named(const Named&) = delete;
  Named& operator=(const Named&) = delete;
  ~Named() { --alive; }
  [[nodiscard]] const std::string& name() const { return name_; }

  int value;

 private:
  std::string name_;
};

}  // namespace

TEST_CASE("a table of names: what a map would have, whatever comes") {
  std::mt19937 random(7);
  for (const std::uint32_t hashes : {1U, 3U, 1000U}) {  // few hashes: all names collide
    CAPTURE(hashes);
    NameTable<Named> table;
    std::map<std::string, int> model;
    const auto hashed = [&](const std::string& name) {
      // The upper bits choose the place; the last places are near the end, so that runs wrap.
      const std::uint32_t hash = HashedName::hash_of(name) % hashes;
      return HashedName(name, ~std::uint32_t{0} - hash * 1000003U);
    };
    for (int step = 0; step < 6000; ++step) {
      // Grows, then shrinks.
      const bool adds = random() % 100 < (step < 3000 ? 60U : 35U);
      const std::string name = "topic" + std::to_string(random() % 300);
      const HashedName key = hashed(name);
      Named* const found = table.find(key);
      REQUIRE((found != nullptr) == model.contains(name));
      if (found != nullptr) REQUIRE(found->value == model[name]);
      table.begin_search(key.hash);
      table.continue_search(key.hash);
      if (adds && found == nullptr) {
        table.add(std::make_unique<Named>(name, step), key.hash);
        model[name] = step;
      } else if (!adds) {
        // By the object's own name, too.
        table.erase(found != nullptr ? HashedName(found->name(), key.hash) : key);
        model.erase(name);
      }
      REQUIRE(table.size() == model.size());
      REQUIRE(alive == static_cast<int>(model.size()));
    }
    std::map<std::string, int> all;
    table.each([&](const Named& each) { REQUIRE(all.emplace(each.name(), each.value).second); });
    CHECK(all == model);
  }
  CHECK(alive == 0);
}

TEST_CASE("a table of names: objects stay where they are") {
  NameTable<Named> table;
  CHECK(table.find("a") == nullptr);
  table.erase("a");
  std::map<std::string, Named*> objects;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = std::to_string(i);
    objects[name] = &table.add(std::make_unique<Named>(name, i), HashedName(name).hash);
  }
  for (int i = 0; i < 1000; i += 2) table.erase(std::to_string(i));
  for (int i = 1; i < 1000; i += 2) {
    const std::string name = std::to_string(i);
    CHECK(table.find(name) == objects[name]);
  }
}
