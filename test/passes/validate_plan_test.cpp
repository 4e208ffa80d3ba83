// The plan validator: one right plan, and everything that can be wrong with it.
#include "passes/validate_plan.h"

#include <catch2/catch.hpp>

using tinytc::OffsetProblem;
using tinytc::validate_plan;

namespace {

// Item 1 lives with 0 and with 2; 0 and 2 never meet.
const OffsetProblem problem{{{16, 8, 0, 2}, {8, 4, 1, 4}, {20, 4, 2, 4}}, {}, {}};

bool complains(const OffsetProblem& of, const std::vector<std::int64_t>& offsets, std::int64_t peak,
               const std::string& text) {
  const std::vector<std::string> messages = validate_plan(of, offsets, peak);
  return messages.size() == 1 && messages[0].find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a right plan has no violations") {
  CHECK(validate_plan(problem, {0, 20, 0}, 28).empty());
  CHECK(validate_plan(problem, {8, 0, 8}, 28).empty());
}

TEST_CASE("overlap is reported with both items") {
  CHECK(complains(problem, {0, 16, 0}, 24, "item 2 (bytes 0..20, steps 2..4) overlap"));
  CHECK(complains(problem, {0, 12, 20}, 40, "item 0 (bytes 0..16, steps 0..2) and item 1"));
}

TEST_CASE("misaligned and negative offsets are reported") {
  CHECK(complains(problem, {4, 20, 0}, 28, "not aligned to 8"));
  CHECK(complains(problem, {-8, 20, 0}, 28, "negative"));
}

TEST_CASE("a wrong peak is reported") {
  CHECK(complains(problem, {0, 20, 0}, 27, "ends above the peak"));
  CHECK(complains(problem, {0, 20, 0}, 29, "only reaches 28"));
}

TEST_CASE("a missing offset is reported") { CHECK(complains(problem, {0, 20}, 28, "2 offsets for 3 items")); }

TEST_CASE("a plan above the capacity is reported") {
  OffsetProblem small = problem;
  small.capacity = 27;
  CHECK(complains(small, {0, 20, 0}, 28, "exceeds the capacity"));
}

TEST_CASE("a relaxation allows exactly its lead, in its direction") {
  OffsetProblem relaxed{{{16, 4, 0, 2}, {16, 4, 1, 3}}, {{1, 0, 4}}, {}};
  CHECK(validate_plan(relaxed, {4, 0}, 20).empty());
  CHECK(complains(relaxed, {0, 0}, 16, "overlap"));
  CHECK(complains(relaxed, {0, 4}, 20, "overlap"));
  relaxed.relaxations.push_back({1, 0, 8});  // a second requirement on the same pair
  CHECK(complains(relaxed, {4, 0}, 20, "overlap"));
}

TEST_CASE("the number of messages is limited") {
  OffsetProblem many;
  for (int i = 0; i < 30; ++i) many.items.push_back({4, 4, 0, 1});
  CHECK(validate_plan(many, std::vector<std::int64_t>(30, 0), 4, 7).size() == 7);
}
