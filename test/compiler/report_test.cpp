// The report from a program made by hand: every figure can be checked with pencil and paper.
#include "compiler/report.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace tinytc;
using Json = nlohmann::json;

namespace {

/// relu of `count` floats, with `count` floats of weights added: one call, buffers x, w, y.
Program one_call(std::int64_t count) {
  Program program;
  program.name = "net";
  const TensorType type{DType::f32, {count}, {}};
  program.buffers = {{.name = "x", .type = type, .offset = 0},
                     {.name = "w", .type = type, .storage = Storage::flash},
                     {.name = "y", .type = type, .offset = 4 * count}};
  KernelCall call;
  call.kernel = "binary<float>";
  call.arguments = {{.kind = Argument::Kind::input, .buffer = 0},
                    {.kind = Argument::Kind::input, .buffer = 1},
                    {.kind = Argument::Kind::output, .buffer = 2}};
  call.location = {"sum", "Add", 3};
  program.calls[Entry::predict] = {call};
  program.interfaces[Entry::predict].inputs = {0};
  program.interfaces[Entry::predict].outputs = {2};
  program.arena_bytes = 8 * count;
  return program;
}

MemoryPlan plan_of(std::int64_t count) {
  MemoryPlan plan;
  plan[Entry::predict] = {.peak = 8 * count, .lower_bound = 8 * count, .optimal = true, .search_nodes = 5, .peak_call = 0, .live_at_peak = {0, 2}};
  return plan;
}

CodeFigures figures() { return {.source = "a test", .code_bytes = 1000, .stack_bytes = 100, .function_bytes = {{"call_binary", 64}}}; }

Report report_of(const Target& target, std::int64_t count, std::int64_t ram = 1 << 20, std::int64_t flash = 1 << 20) {
  const Program program = one_call(count);
  const MemoryPlan plan = plan_of(count);
  return make_report({program, plan, target, {{Entry::predict, {"call_binary"}}}, "1.0", "net.onnx", "balanced", 4 * count, figures(), ram, flash});
}

std::string refusal(const Report& report) {
  try {
    check_fits(report);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the report adds up memory, flash and cycles") {
  const Target target = load_target("nrf52840");
  const Report report = report_of(target, 1000);
  CHECK(report.sizeof_model == 8000);
  CHECK(report.ram_bytes() == 8100);
  CHECK(report.flash_bytes() == 5000);
  const EntryReport& entry = report.entries.at(Entry::predict);
  REQUIRE(entry.layers.size() == 1);
  CHECK(entry.layers[0].kernel == "binary");
  CHECK(entry.layers[0].code_bytes == 64);
  CHECK(entry.layers[0].weights_bytes == 4000);
  CHECK(entry.layers[0].elements == 1000);
  CHECK(*entry.cycles > *entry.layers[0].cycles);
}

TEST_CASE("a layer that got less scratch says how much, and what it cost") {
  const Target target = load_target("nrf52840");
  Program program = one_call(1000);
  KernelCall& call = program.calls[Entry::predict][0];
  program.buffers.push_back({.name = "scratch", .type = {DType::u32, {25}, {}}, .offset = 0, .is_scratch = true});
  call.arguments.push_back({.kind = Argument::Kind::output, .buffer = 3});
  const auto report = [&] {
    return make_report({program, plan_of(1000), target, {{Entry::predict, {"call_binary"}}}, "1.0", "net.onnx", "balanced", 4000, figures(), 1 << 20, 1 << 20});
  };
  const Json usual = Json::parse(report_json(report()))["entries"]["predict"]["layers"][0];
  CHECK(usual["scratch_bytes"] == 100);
  CHECK(usual["saved_scratch_bytes"] == 0);
  CHECK(usual["given_up_cycles"] == 0);
  CHECK(report_table(report()).find("to fit") == std::string::npos);
  call.traits.saved_scratch = 2200, call.traits.given_up_cycles = 31000;
  const Json saving = Json::parse(report_json(report()))["entries"]["predict"]["layers"][0];
  CHECK(saving["saved_scratch_bytes"] == 2200);
  CHECK(saving["given_up_cycles"] == 31000);
  CHECK(report_table(report()).find("to fit, node 'sum' (Add, #3) runs in binary with 100 B of scratch, 2,200 B less, for about 31,000 cycles more") != std::string::npos);
}

TEST_CASE("time, energy and battery life follow from clock, current and supply") {
  Target target = load_target("nrf52840");  // 64 MHz, 52 uA/MHz, 3 V
  const Report report = report_of(target, 1000);
  const EntryReport& entry = report.entries.at(Entry::predict);
  CHECK(*entry.seconds == Approx(*entry.cycles / 64e6));
  CHECK(*entry.joules == Approx(*entry.seconds * 52e-6 * 64 * 3.0));
  // One prediction a second: the charge of a day is its seconds times the charge of one prediction.
  CHECK(*report.coin_cell_days == Approx(0.225 * 3600 / (86400 * *entry.seconds * 52e-6 * 64)));
  target.active_current.reset();
  const Report unknown = report_of(target, 1000);
  CHECK_FALSE(unknown.entries.at(Entry::predict).joules);
  CHECK_FALSE(unknown.coin_cell_days);
  CHECK(unknown.entries.at(Entry::predict).seconds);
  CHECK(Json::parse(report_json(unknown))["entries"]["predict"]["estimated_joules"].is_null());
}

TEST_CASE("a core without figures has no cycles") {
  const Target target = load_target("himax-we1");
  const Report report = report_of(target, 1000);
  CHECK_FALSE(report.entries.at(Entry::predict).cycles);
  const Json json = Json::parse(report_json(report));
  CHECK(json["entries"]["predict"]["estimated_cycles"].is_null());
  CHECK(report_table(report).find("unknown") != std::string::npos);
}

TEST_CASE("JSON and table name layers, peak and sources") {
  const Target target = load_target("nrf52840");
  const Report report = report_of(target, 1000);
  const Json json = Json::parse(report_json(report));
  CHECK(json["ram"]["bytes"] == 8100);
  CHECK(json["flash"]["code_source"] == "a test");
  const Json& entry = json["entries"]["predict"];
  CHECK(entry["layers"][0]["node"] == "sum");
  CHECK(entry["live_at_peak"][1]["name"] == "y");
  CHECK(entry["optimal"] == true);
  CHECK(entry["arena_lower_bound_bytes"] == 8000);
  const std::string table = report_table(report);
  for (const char* part : {"sum", "binary", "8,100 B", "a test", "optimal", "CR2032"}) CHECK(table.find(part) != std::string::npos);
}

TEST_CASE("a model that exceeds RAM or flash is refused with what is in the way") {
  const Target target = load_target("nrf52840");
  CHECK(refusal(report_of(target, 1000, 8100, 5000)).empty());
  const std::string ram = refusal(report_of(target, 1000, 8099, 5000));
  CHECK(ram.find("8100 B of RAM are needed, 1 B more than the 8099 B") != std::string::npos);
  CHECK(ram.find("'x' f32[1000]") != std::string::npos);
  CHECK(ram.find("node 'sum' (Add, #3)") != std::string::npos);
  const std::string flash = refusal(report_of(target, 1000, 8100, 4999));
  CHECK(flash.find("5000 B of flash are needed, 1 B more than the 4999 B") != std::string::npos);
}
