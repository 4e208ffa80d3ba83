// Tests of the target data files and their reader: every shipped file loads and is consistent, every kind of
// mistake is reported with file and line.
#include "targets/target.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "compiler/diagnostics.h"

namespace tinytc {
namespace {

// Line numbers in the tests below count from the first line of this text.
const std::string good_file = R"(description: A test target
core: cortex-m4f
features: [dsp, fpu-single]
clock_hz: 64000000
supply_volts: 3.0
active_current:
  microamperes_per_mhz: 52.5
  source: made up
flash:
  - {name: flash, start: 0x08000000, size: 1M}
ram:
  - {name: a, start: 0x20000000, size: 64K}
  - {name: b, start: 0x20010000, size: 4096}
  - {name: c, start: 0x30000000, size: 32K}
compiler:
  gcc: {prefix: arm-none-eabi-, flags: [-mthumb, -mcpu=cortex-m4]}
  clang: {triple: thumbv7em-unknown-none-eabihf, cpu: cortex-m4, features: [+x, -y], float_abi: hard}
  int32: long
  stand_in: false
machine: mps2-an386
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t position = text.find(from);
  REQUIRE(position != std::string::npos);
  return text.replace(position, from.size(), to);
}

std::string error_of(const std::string& text) {
  try {
    parse_target(text, "dir/my.yaml");
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

TEST_CASE("a target file is read completely") {
  const Target target = parse_target(good_file, "dir/my.yaml");
  CHECK(target.name == "my");
  CHECK(target.description == "A test target");
  CHECK(target.core == "cortex-m4f");
  CHECK(has_feature(target, CoreFeature::dsp));
  CHECK(has_feature(target, CoreFeature::fpu_single));
  CHECK_FALSE(has_feature(target, CoreFeature::fpu_double));
  CHECK_FALSE(has_feature(target, CoreFeature::mve));
  CHECK(target.clock_hz == 64000000);
  CHECK(target.supply_volts == 3.0);
  REQUIRE(target.active_current);
  CHECK(target.active_current->microamperes_per_mhz == 52.5);
  CHECK(target.active_current->source == "made up");
  REQUIRE(target.flash.size() == 1);
  CHECK(target.flash[0].start == 0x08000000);
  CHECK(target.flash[0].size == 1024 * 1024);
  REQUIRE(target.ram.size() == 3);
  CHECK(target.ram[1].name == "b");
  REQUIRE(target.gcc);
  CHECK(target.gcc->prefix == "arm-none-eabi-");
  CHECK(target.gcc->flags == std::vector<std::string>{"-mthumb", "-mcpu=cortex-m4"});
  CHECK(target.clang.triple == "thumbv7em-unknown-none-eabihf");
  CHECK(target.clang.cpu == "cortex-m4");
  CHECK(target.clang.features == std::vector<std::string>{"+x", "-y"});
  CHECK(target.clang.hard_float);
  CHECK(target.clang.where == "dir/my.yaml:17: compiler.clang");
  CHECK(target.int32 == "long");
  CHECK_FALSE(target.stand_in);
  CHECK(target.machine == "mps2-an386");
}

TEST_CASE("the main memory is the first region and those that continue it") {
  const Target target = parse_target(good_file, "my.yaml");
  CHECK(main_size(target.ram) == 64 * 1024 + 4096);  // c starts elsewhere
  CHECK(main_size(target.flash) == 1024 * 1024);
}

TEST_CASE("a core without figures is called other") {
  CHECK(parse_target(replaced(good_file, "core: cortex-m4f", "core: other"), "my.yaml").core == "other");
}

TEST_CASE("none leaves a value out") {
  std::string text = replaced(good_file, "clock_hz: 64000000", "clock_hz: none");
  text = replaced(text, "supply_volts: 3.0", "supply_volts: none");
  text = replaced(text, "active_current:\n  microamperes_per_mhz: 52.5\n  source: made up\n",
                  "active_current: none\n");
  text = replaced(text, "gcc: {prefix: arm-none-eabi-, flags: [-mthumb, -mcpu=cortex-m4]}", "gcc: none");
  text = replaced(text, "machine: mps2-an386", "machine: none");
  const Target target = parse_target(text, "my.yaml");
  CHECK_FALSE(target.clock_hz);
  CHECK_FALSE(target.supply_volts);
  CHECK_FALSE(target.active_current);
  CHECK_FALSE(target.gcc);
  CHECK_FALSE(target.machine);
}

TEST_CASE("each mistake is reported with file and line") {
  struct Mistake {
    const char *from, *to, *message;
  };
  const Mistake mistakes[] = {
      {"core: ", "kore: ", "dir/my.yaml:2: unknown key 'kore'"},
      {"core: cortex-m4f\n", "", "dir/my.yaml:1: missing key 'core'"},
      {"core: cortex-m4f", "core: cortex-m4f\ncore: again", "dir/my.yaml:3: key 'core' stands twice"},
      {"core: cortex-m4f", "core: [a]", "dir/my.yaml:2: core: expected text"},
      {"core: cortex-m4f", "core: \"\"", "dir/my.yaml:2: core: expected text"},
      {"core: cortex-m4f", "core: cortex-m4",
       "dir/my.yaml:2: core: expected one of arc-em9d, cortex-m0plus, cortex-m3, cortex-m33, cortex-m4f, cortex-m55, cortex-m7, rv32imc, x86-64, xtensa-lx6, "
       "other, not 'cortex-m4'"},
      {"start: 0x30000000", "start: 0x08001000", "dir/my.yaml:14: ram: region 'c' overlaps 'flash'"},
      {"[dsp, fpu-single]", "dsp", "dir/my.yaml:3: features: expected a list"},
      {"[dsp, fpu-single]", "[dsp, simd]", "dir/my.yaml:3: features: unknown feature 'simd'"},
      {"64000000", "64 MHz",
       "dir/my.yaml:4: clock_hz: expected a whole number up to 10000000000, not '64 MHz'"},
      {"64000000", "-1", "dir/my.yaml:4: clock_hz: expected a whole number up to 10000000000, not '-1'"},
      {"64000000", "0", "dir/my.yaml:4: clock_hz: expected a clock above 0"},
      {"3.0", "3V", "dir/my.yaml:5: supply_volts: expected a number above 0, not '3V'"},
      {"3.0", "0", "dir/my.yaml:5: supply_volts: expected a number above 0, not '0'"},
      {"3.0", "nan", "dir/my.yaml:5: supply_volts: expected a number above 0, not 'nan'"},
      {"  source: made up\n", "", "dir/my.yaml:7: active_current: missing key 'source'"},
      {"  source: made up\n", "  source: x\n  unit: y\n", "dir/my.yaml:9: unknown key 'unit'"},
      {"52.5", "much",
       "dir/my.yaml:7: active_current.microamperes_per_mhz: expected a number above 0, not 'much'"},
      {"1M", "1G", "dir/my.yaml:10: flash.size: expected a size in bytes such as 98304, 96K or 2M, not '1G'"},
      {"1M", "0", "dir/my.yaml:10: flash.size: expected a size in bytes such as 98304, 96K or 2M, not '0'"},
      {"0x08000000", "0x800000000",
       "dir/my.yaml:10: flash.start: expected a whole number up to 4294967295, not '0x800000000'"},
      {"{name: flash, start: 0x08000000, size: 1M}", "flash",
       "dir/my.yaml:10: flash: expected keys with values"},
      {"start: 0x20010000", "start: 0x2000ffff", "dir/my.yaml:13: ram: region 'b' overlaps 'a'"},
      {"name: c", "name: a", "dir/my.yaml:14: ram: region 'a' stands twice"},
      {"prefix: arm-none-eabi-, ", "", "dir/my.yaml:16: compiler.gcc: missing key 'prefix'"},
      {"[-mthumb, -mcpu=cortex-m4]", "-mthumb", "dir/my.yaml:16: compiler.gcc.flags: expected a list"},
      {"[+x, -y]", "[x]", "dir/my.yaml:17: compiler.clang.features: a feature starts with + or -, not 'x'"},
      {"float_abi: hard", "float_abi: softfp",
       "dir/my.yaml:17: compiler.clang.float_abi: expected one of hard, soft, not 'softfp'"},
      {"int32: long", "int32: short",
       "dir/my.yaml:18: compiler.int32: expected one of long, int, not 'short'"},
      {"stand_in: false", "stand_in: no",
       "dir/my.yaml:19: compiler.stand_in: expected true or false, not 'no'"},
      {"mps2-an386", "virtual", "dir/my.yaml:20: machine: no emulated board for machine 'virtual'"},
  };
  for (const Mistake& mistake : mistakes) {
    CAPTURE(mistake.from, mistake.to);
    CHECK(error_of(replaced(good_file, mistake.from, mistake.to)) == mistake.message);
  }
}

TEST_CASE("an empty list of regions is an error") {
  const std::string text =
      replaced(good_file, "flash:\n  - {name: flash, start: 0x08000000, size: 1M}\n", "flash: []\n");
  CHECK(error_of(text) == "dir/my.yaml:9: flash: expected at least one region");
}

TEST_CASE("a file that is not YAML or not a mapping is an error with a line") {
  CHECK(error_of("description: [a").starts_with("dir/my.yaml:"));
  CHECK(error_of("description: a\n  core: b\n").starts_with("dir/my.yaml:2: "));
  CHECK(error_of("just text") == "dir/my.yaml:1: expected keys with values");
  CHECK(error_of("") == "dir/my.yaml:1: expected keys with values");
}

TEST_CASE("sizes are bytes or carry K or M") {
  CHECK(parse_size("98304") == 98304);
  CHECK(parse_size("96K") == 98304);
  CHECK(parse_size("2M") == 2097152);
  for (const char* bad : {"", "K", "96 K", "96k", "96KB", "-1", "0", "0x10", "1.5K", "99999999999999999999",
                          "9999999999999M"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_size(bad), UserError);
  }
}

TEST_CASE("every shipped target loads") {
  const std::vector<std::string> expected = {
      "apollo3", "corstone-300", "esp32",     "esp32c3",   "himax-we1", "host",      "mt3620-m4", "nrf52840",
      "nrf5340", "rp2040",       "stm32f103", "stm32f746", "stm32h747", "stm32l4r5", "stm32u575"};
  CHECK(list_targets() == expected);
  for (const std::string& name : list_targets()) {
    CAPTURE(name);
    const Target target = load_target(name);
    CHECK(target.name == name);
    // Where there is no compiler there is a stand-in, and nothing to emulate.
    CHECK(target.gcc.has_value() == !target.stand_in);
    CHECK((target.gcc || !target.machine));
    // Only the host's own compiler takes int for std::int32_t; all the others use newlib or picolibc.
    CHECK(target.int32 == (name == "host" ? "int" : "long"));
    CHECK((target.clock_hz || name == "host"));
  }
}

TEST_CASE("facts that other parts rely on") {
  const Target nordic = load_target("nrf52840");
  CHECK(nordic.core == "cortex-m4f");
  CHECK(main_size(nordic.ram) == 262144);
  CHECK(main_size(nordic.flash) == 1048576);
  CHECK(main_size(load_target("stm32f746").ram) == 320 * 1024);
  CHECK(main_size(load_target("stm32l4r5").ram) == 640 * 1024);
  CHECK(main_size(load_target("stm32u575").ram) == 768 * 1024);
  CHECK(main_size(load_target("rp2040").ram) == 264 * 1024);
  CHECK(has_feature(load_target("corstone-300"), CoreFeature::mve));
  CHECK_FALSE(has_feature(load_target("stm32f103"), CoreFeature::dsp));
  CHECK(has_feature(load_target("host"), CoreFeature::dsp));
  for (const std::string& name : list_targets()) {
    const Target target = load_target(name);
    CHECK(has_feature(target, CoreFeature::wide_loads) == (target.core == "cortex-m7"));
  }
}

TEST_CASE("a target of one's own comes from a file, also with the name of a built-in one") {
  const std::string path = "nrf52840.yaml";  // in the folder of the test run
  std::ofstream(path) << good_file;
  CHECK(load_target(path).description == "A test target");
  std::remove(path.c_str());
  CHECK(load_target("nrf52840").description != "A test target");
}

TEST_CASE("an unknown target names the built-in ones") {
  std::string message;
  try {
    load_target("nrf52841");
  } catch (const UsageError& error) {
    message = error.what();
  }
  CHECK(message.find("unknown target 'nrf52841'") != std::string::npos);
  CHECK(message.find("nrf52840") != std::string::npos);
  CHECK_THROWS_AS(load_target("absent.yaml"), UserError);
}

}  // namespace
}  // namespace tinytc
