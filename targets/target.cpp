// Reads target data files. See target.h for the format.
//
// How to read it: parse_target at the bottom walks the file key by key; the functions above it read one kind
// of value each and throw with file and line. check_keys first makes sure that a mapping has exactly the keys
// that its reader asks for.
#include "targets/target.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <sstream>

#include "compiler/diagnostics.h"
#include "targets/builtin.h"

namespace tinytc {
namespace {

constexpr std::pair<const char*, CoreFeature> feature_names[] = {
    {"dsp", CoreFeature::dsp},
    {"fpu-single", CoreFeature::fpu_single},
    {"fpu-double", CoreFeature::fpu_double},
    {"mve", CoreFeature::mve},
    {"wide-loads", CoreFeature::wide_loads},
};

// The boards that scripts/emulation/boards.py knows.
constexpr const char* machine_names[] = {"mps2-an385", "mps2-an386", "mps2-an500",
                                         "mps2-an505", "mps3-an547", "virt"};

// The cores of targets/*.yaml, which have figures in compiler/cost.cpp or are known to have none.
constexpr const char* core_names[] = {"arc-em9d",   "cortex-m0plus", "cortex-m3", "cortex-m33", "cortex-m4f", "cortex-m55",
                                      "cortex-m7", "rv32imc",       "x86-64",    "xtensa-lx6", "other"};

/// A node of the file together with what a message about it needs.
struct Entry {
  YAML::Node node;
  std::string file;
  std::string path;  // "compiler.gcc", empty for the whole file
};

[[noreturn]] void fail(const std::string& file, int line, const std::string& what) {
  throw UserError(file + ":" + std::to_string(line) + ": " + what);
}

int line_of(const Entry& entry) { return std::max(entry.node.Mark().line, 0) + 1; }

[[noreturn]] void fail(const Entry& entry, const std::string& what) {
  fail(entry.file, line_of(entry), entry.path.empty() ? what : entry.path + ": " + what);
}

void check_keys(const Entry& map, std::initializer_list<const char*> keys) {
  if (!map.node.IsMap()) fail(map, "expected keys with values");
  std::vector<std::string> seen;
  for (const auto& item : map.node) {
    const std::string key = item.first.IsScalar() ? item.first.Scalar() : std::string();
    const std::string shown = "'" + printable(key) + "'";
    const int line = item.first.Mark().line + 1;
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) fail(map.file, line, "unknown key " + shown);
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      fail(map.file, line, "key " + shown + " stands twice");
    seen.push_back(key);
  }
  for (const char* key : keys) {
    if (std::find(seen.begin(), seen.end(), key) == seen.end())
      fail(map, "missing key '" + std::string(key) + "'");
  }
}

Entry at(const Entry& map, const char* key) {
  return {map.node[key], map.file, map.path.empty() ? key : map.path + "." + key};
}

bool is_none(const Entry& entry) { return entry.node.IsScalar() && entry.node.Scalar() == "none"; }

std::string text_or_empty(const Entry& entry) {
  if (!entry.node.IsScalar()) fail(entry, "expected text");
  return entry.node.Scalar();
}

std::string text(const Entry& entry) {
  const std::string value = text_or_empty(entry);
  if (value.empty()) fail(entry, "expected text");
  return value;
}

std::vector<Entry> list(const Entry& entry) {
  if (!entry.node.IsSequence()) fail(entry, "expected a list");
  std::vector<Entry> items;
  for (const auto& item : entry.node) items.push_back({item, entry.file, entry.path});
  return items;
}

std::vector<std::string> text_list(const Entry& entry) {
  std::vector<std::string> items;
  for (const Entry& item : list(entry)) items.push_back(text(item));
  return items;
}

/// A whole number in decimal or with 0x, from 0 to `limit`.
std::uint64_t whole_number(const Entry& entry, std::uint64_t limit) {
  const std::string value = text(entry);
  const bool is_hex = value.starts_with("0x");
  std::uint64_t number = 0;
  const char* begin = value.data() + (is_hex ? 2 : 0);
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(begin, end, number, is_hex ? 16 : 10);
  if (error != std::errc() || stop != end || number > limit) {
    fail(entry,
         "expected a whole number up to " + std::to_string(limit) + ", not '" + printable(value) + "'");
  }
  return number;
}

double positive_number(const Entry& entry) {
  const std::string value = text(entry);
  double number = 0;
  const char* end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc() || stop != end || !(number > 0) || number > 1e12) {
    fail(entry, "expected a number above 0, not '" + printable(value) + "'");
  }
  return number;
}

bool truth(const Entry& entry) {
  const std::string value = text(entry);
  if (value != "true" && value != "false")
    fail(entry, "expected true or false, not '" + printable(value) + "'");
  return value == "true";
}

/// One of a few words.
template <typename Words>
std::string one_of(const Entry& entry, const Words& words) {
  const std::string value = text(entry);
  std::string all;
  for (const char* word : words) {
    if (value == word) return value;
    all += (all.empty() ? "" : ", ") + std::string(word);
  }
  fail(entry, "expected one of " + all + ", not '" + printable(value) + "'");
}

std::string choice(const Entry& entry, std::initializer_list<const char*> words) { return one_of(entry, words); }

CoreFeature feature(const Entry& entry) {
  const std::string value = text(entry);
  for (const auto& [name, result] : feature_names) {
    if (value == name) return result;
  }
  fail(entry, "unknown feature '" + printable(value) + "'");
}

MemoryRegion memory_region(const Entry& entry) {
  check_keys(entry, {"name", "start", "size"});
  MemoryRegion region;
  region.name = text(at(entry, "name"));
  region.start = whole_number(at(entry, "start"), std::numeric_limits<std::uint32_t>::max());
  const Entry size = at(entry, "size");
  try {
    region.size = parse_size(text(size));
  } catch (const UserError& error) {
    fail(size, error.what());
  }
  return region;
}

void check_apart(const Entry& item, const MemoryRegion& region, const MemoryRegion& other) {
  const bool is_apart = region.start >= other.start + static_cast<std::uint64_t>(other.size) ||
                        other.start >= region.start + static_cast<std::uint64_t>(region.size);
  if (!is_apart) fail(item, "region '" + printable(region.name) + "' overlaps '" + printable(other.name) + "'");
}

bool is_same(const MemoryRegion& a, const MemoryRegion& b) { return a.name == b.name && a.start == b.start && a.size == b.size; }

/// Regions that lie apart from each other and from `taken`, unless one memory serves both and is written alike.
std::vector<MemoryRegion> memory_regions(const Entry& entry, const std::vector<MemoryRegion>& taken) {
  std::vector<MemoryRegion> regions;
  for (const Entry& item : list(entry)) {
    const MemoryRegion region = memory_region(item);
    for (const MemoryRegion& other : taken)
      if (!is_same(region, other)) check_apart(item, region, other);
    for (const MemoryRegion& other : regions) {
      check_apart(item, region, other);
      if (region.name == other.name) fail(item, "region '" + printable(region.name) + "' stands twice");
    }
    regions.push_back(region);
  }
  if (regions.empty()) fail(entry, "expected at least one region");
  return regions;
}

std::optional<ActiveCurrent> active_current(const Entry& entry) {
  if (is_none(entry)) return std::nullopt;
  check_keys(entry, {"microamperes_per_mhz", "source"});
  return ActiveCurrent{positive_number(at(entry, "microamperes_per_mhz")), text(at(entry, "source"))};
}

std::optional<GccCompiler> gcc_compiler(const Entry& entry) {
  if (is_none(entry)) return std::nullopt;
  check_keys(entry, {"prefix", "flags"});
  return GccCompiler{text_or_empty(at(entry, "prefix")), text_list(at(entry, "flags"))};
}

ClangSettings clang_settings(const Entry& entry) {
  check_keys(entry, {"triple", "cpu", "features", "float_abi"});
  ClangSettings clang;
  clang.where = entry.file + ":" + std::to_string(line_of(entry)) + ": " + entry.path;
  clang.triple = text(at(entry, "triple"));
  clang.cpu = text(at(entry, "cpu"));
  const Entry features = at(entry, "features");
  clang.features = text_list(features);
  for (const std::string& item : clang.features) {
    if (item[0] != '+' && item[0] != '-')
      fail(features, "a feature starts with + or -, not '" + printable(item) + "'");
  }
  clang.hard_float = choice(at(entry, "float_abi"), {"hard", "soft"}) == "hard";
  return clang;
}

std::optional<std::string> machine(const Entry& entry) {
  if (is_none(entry)) return std::nullopt;
  const std::string value = text(entry);
  for (const char* name : machine_names) {
    if (value == name) return value;
  }
  fail(entry, "no emulated board for machine '" + printable(value) + "'");
}

Target read_target(const Entry& file) {
  check_keys(file, {"description", "core", "features", "clock_hz", "supply_volts", "active_current", "flash",
                    "ram", "compiler", "machine"});
  Target target;
  target.name = std::filesystem::path(file.file).stem().string();
  target.description = text(at(file, "description"));
  target.core = one_of(at(file, "core"), core_names);
  for (const Entry& item : list(at(file, "features"))) target.features.push_back(feature(item));
  if (const Entry clock = at(file, "clock_hz"); !is_none(clock)) {
    constexpr std::uint64_t ten_gigahertz = 10'000'000'000;
    target.clock_hz = static_cast<std::int64_t>(whole_number(clock, ten_gigahertz));
    if (*target.clock_hz == 0) fail(clock, "expected a clock above 0");
  }
  if (const Entry volts = at(file, "supply_volts"); !is_none(volts))
    target.supply_volts = positive_number(volts);
  target.active_current = active_current(at(file, "active_current"));
  target.flash = memory_regions(at(file, "flash"), {});
  target.ram = memory_regions(at(file, "ram"), target.flash);
  const Entry compiler = at(file, "compiler");
  check_keys(compiler, {"gcc", "clang", "int32", "stand_in"});
  target.gcc = gcc_compiler(at(compiler, "gcc"));
  target.clang = clang_settings(at(compiler, "clang"));
  target.int32 = choice(at(compiler, "int32"), {"long", "int"});
  target.stand_in = truth(at(compiler, "stand_in"));
  target.machine = machine(at(file, "machine"));
  return target;
}

}  // namespace

Target parse_target(const std::string& text, const std::string& file) {
  try {
    return read_target({YAML::Load(text), file, ""});
  } catch (const YAML::Exception& error) {
    fail(file, error.mark.line + 1, error.msg);
  }
}

std::vector<std::string> list_targets() {
  std::vector<std::string> names;
  for (const BuiltinTarget& builtin : builtin_targets()) names.emplace_back(builtin.name);
  std::sort(names.begin(), names.end());
  return names;
}

Target load_target(const std::string& name_or_path) {
  if (name_or_path.ends_with(".yaml")) {
    std::error_code error;
    if (std::filesystem::is_directory(name_or_path, error)) throw UserError(printable(name_or_path, 400) + ": is a folder, expected a target file");
    std::ifstream in(name_or_path, std::ios::binary);
    std::ostringstream content;
    content << in.rdbuf();
    if (!in) throw UserError(printable(name_or_path, 400) + ": cannot read the target file");
    return parse_target(content.str(), name_or_path);
  }
  for (const BuiltinTarget& builtin : builtin_targets()) {
    if (builtin.name == name_or_path) return parse_target(std::string(builtin.text), name_or_path + ".yaml");
  }
  std::string names;
  for (const std::string& name : list_targets()) names += (names.empty() ? "" : ", ") + name;
  throw UsageError("unknown target '" + printable(name_or_path) + "'\n  built in: " + names +
                  "\n  hint: --target-file FILE.yaml reads a target of your own");
}

bool has_feature(const Target& target, CoreFeature feature) {
  return std::find(target.features.begin(), target.features.end(), feature) != target.features.end();
}

std::int64_t main_size(const std::vector<MemoryRegion>& regions) {
  std::int64_t total = 0;
  for (const MemoryRegion& region : regions) {
    if (region.start != regions.front().start + static_cast<std::uint64_t>(total)) break;
    total += region.size;
  }
  return total;
}

std::int64_t parse_size(const std::string& text) {
  std::int64_t factor = 1;
  if (text.ends_with("K")) factor = 1024;
  if (text.ends_with("M")) factor = 1024 * 1024;
  std::int64_t number = 0;
  const char* end = text.data() + text.size() - (factor > 1 ? 1 : 0);
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  constexpr std::int64_t most = std::int64_t{1} << 40;
  if (error != std::errc() || stop != end || number <= 0 || number > most / factor) {
    throw UserError("expected a size in bytes such as 98304, 96K or 2M, not '" + printable(text) + "'");
  }
  return number * factor;
}

}  // namespace tinytc
