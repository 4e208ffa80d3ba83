// Where buffers of hand-made programs come to lie: lifetimes, overlaps, views, persistent memory, and what is said of the peak.
#include "passes/plan_memory.h"

#include <catch2/catch.hpp>

namespace tinytc {

namespace {

constexpr std::int64_t effort = 1000;

/// A program of calls that only say which buffers they touch.
struct ProgramBuilder {
  Program program;
  Entry entry = Entry::predict;

  BufferId buffer(const std::string& name, std::int64_t bytes, Storage storage = Storage::arena, Role role = Role::computed) {
    program.buffers.push_back({.name = name, .type = {DType::i8, {bytes}}, .storage = storage, .role = role});
    return static_cast<BufferId>(program.buffers.size() - 1);
  }
  BufferId view(BufferId parent, std::int64_t offset, std::int64_t bytes) {
    const BufferId id = buffer("view", bytes);
    program.buffer(id).parent = parent;
    program.buffer(id).parent_offset = offset;
    return id;
  }
  KernelCall& call(const std::vector<BufferId>& reads, const std::vector<BufferId>& writes) {
    KernelCall made;
    for (BufferId id : reads) made.arguments.push_back({.kind = Argument::Kind::input, .buffer = id});
    for (BufferId id : writes) made.arguments.push_back({.kind = Argument::Kind::output, .buffer = id});
    program.calls[entry].push_back(made);
    return program.calls[entry].back();
  }
  /// x -> call -> y, the smallest entry point; sizes in bytes.
  void copy(std::int64_t from, std::int64_t to) {
    const BufferId x = buffer("x", from), y = buffer("y", to);
    call({x}, {y});
    program.interfaces[entry].inputs = {x};
    program.interfaces[entry].outputs = {y};
  }
  std::int64_t offset(BufferId id) const { return program.buffer(id).offset; }
};

bool disjoint(const ProgramBuilder& b, BufferId left, BufferId right) {
  const auto bytes = [&](BufferId id) { return byte_count(b.program.buffer(id).type); };
  return b.offset(left) + bytes(left) <= b.offset(right) || b.offset(right) + bytes(right) <= b.offset(left);
}

}  // namespace

TEST_CASE("buffers that never live together share bytes, others do not") {
  ProgramBuilder b;
  const BufferId x = b.buffer("x", 64), h = b.buffer("h", 32), y = b.buffer("y", 64);
  b.call({x}, {h});
  b.call({h}, {y});
  b.program.interfaces[Entry::predict].inputs = {x};
  b.program.interfaces[Entry::predict].outputs = {y};
  const MemoryPlan plan = plan_memory(b.program, effort);
  CHECK(b.program.arena_bytes == 96);
  CHECK(b.offset(x) == b.offset(y));
  CHECK(disjoint(b, x, h));
  CHECK(plan.at(Entry::predict).peak == 96);
  CHECK(plan.at(Entry::predict).lower_bound == 96);
  CHECK(plan.at(Entry::predict).optimal);
}

TEST_CASE("an input lives from before the first call, an output until behind the last") {
  ProgramBuilder b;
  const BufferId x = b.buffer("x", 16), early = b.buffer("early", 32), other = b.buffer("other", 16), y = b.buffer("y", 16);
  SECTION("an input that only the last call reads") {
    b.call({}, {early});
    b.call({early}, {other});
    b.call({x, other}, {y});
    b.program.interfaces[Entry::predict].inputs = {x};
    b.program.interfaces[Entry::predict].outputs = {y};
    plan_memory(b.program, effort);
    CHECK(disjoint(b, x, early));
  }
  SECTION("an output that only the first call touches") {
    b.call({x}, {early});
    b.call({}, {other});
    b.call({other}, {y});
    b.program.interfaces[Entry::predict].inputs = {x};
    b.program.interfaces[Entry::predict].outputs = {early, y};
    plan_memory(b.program, effort);
    CHECK(disjoint(b, early, other));
    CHECK(disjoint(b, early, y));
  }
  CHECK(b.program.arena_bytes == 64);
}

TEST_CASE("an output may lie on the input by the lead that the kernel states") {
  for (const auto& [lead, arena] : {std::pair<std::int64_t, std::int64_t>{0, 64}, {16, 80}}) {
    ProgramBuilder b;
    b.copy(64, 64);
    const BufferId x = 0, y = 1;
    b.program.calls[Entry::predict][0].traits.overlaps = {{y, x, lead}};
    plan_memory(b.program, effort);
    CHECK(b.program.arena_bytes == arena);
    CHECK(b.offset(x) - b.offset(y) == lead);
  }
}

TEST_CASE("no overlap with an input that is read again, or twice in the call, or of which the call sees a part") {
  ProgramBuilder b;
  const BufferId x = b.buffer("x", 64), y = b.buffer("y", 64);
  SECTION("read again") {
    b.call({x}, {y}).traits.overlaps = {{y, x, 0}};
    b.call({x}, {y});
  }
  SECTION("read twice") { b.call({x, x}, {y}).traits.overlaps = {{y, x, 0}}; }
  SECTION("a part") {
    const BufferId half = b.view(x, 0, 32);
    b.call({half}, {y}).traits.overlaps = {{y, half, 0}};
  }
  b.program.interfaces[Entry::predict].inputs = {x};
  b.program.interfaces[Entry::predict].outputs = {y};
  plan_memory(b.program, effort);
  CHECK(disjoint(b, x, y));
  CHECK(b.program.arena_bytes == 128);
}

TEST_CASE("a view keeps the buffer alive that holds it") {
  ProgramBuilder b;
  const BufferId x = b.buffer("x", 32), wide = b.buffer("wide", 32), part = b.view(wide, 8, 8), other = b.buffer("other", 32), y = b.buffer("y", 8);
  b.call({x}, {wide});
  b.call({}, {other});
  b.call({part, other}, {y});
  b.program.interfaces[Entry::predict].inputs = {x};
  b.program.interfaces[Entry::predict].outputs = {y};
  plan_memory(b.program, effort);
  CHECK(disjoint(b, wide, other));
  CHECK(b.offset(part) == -1);  // its place is the parent's
}

TEST_CASE("the arena is as large as the largest entry point, in steps of eight bytes") {
  ProgramBuilder b;
  b.copy(10, 3);  // 12 and 4: buffers are multiples of four bytes
  b.entry = Entry::evaluate;
  b.copy(24, 4);
  const MemoryPlan plan = plan_memory(b.program, effort);
  CHECK(plan.at(Entry::predict).peak == 16);
  CHECK(plan.at(Entry::evaluate).peak == 28);
  CHECK(b.program.arena_bytes == 32);
}

TEST_CASE("persistent buffers: parameters as they come, then states by name, aligned") {
  ProgramBuilder b;
  const BufferId velocity = b.buffer("velocity", 8, Storage::persistent, Role::state);
  const BufferId w = b.buffer("w", 6, Storage::persistent, Role::parameter);
  const BufferId count = b.buffer("count", 4, Storage::persistent, Role::state);
  const BufferId bias = b.buffer("bias", 4, Storage::persistent, Role::parameter);
  const BufferId constant = b.buffer("table", 100, Storage::flash, Role::constant);
  plan_memory(b.program, effort);
  CHECK(b.offset(w) == 0);
  CHECK(b.offset(bias) == 8);
  CHECK(b.offset(count) == 12);
  CHECK(b.offset(velocity) == 16);
  CHECK(b.offset(constant) == -1);
  CHECK(b.program.persistent_bytes == 24);
}

TEST_CASE("the peak is where most bytes live, and its buffers come largest first") {
  ProgramBuilder b;
  const BufferId x = b.buffer("x", 8), small = b.buffer("small", 16), large = b.buffer("large", 64), y = b.buffer("y", 4);
  b.call({x}, {small});
  b.call({small}, {large});
  b.call({large}, {y});
  b.program.interfaces[Entry::predict].inputs = {x};
  b.program.interfaces[Entry::predict].outputs = {y};
  const EntryPlan plan = plan_memory(b.program, effort).at(Entry::predict);
  CHECK(plan.peak_call == 1);
  CHECK(plan.live_at_peak == std::vector<BufferId>{large, small});
}

}  // namespace tinytc
