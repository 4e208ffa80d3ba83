// Output files: all or none, and nothing left behind.
#include "compiler/write_files.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "compiler/diagnostics.h"
#include "compiler/process.h"

using namespace tinytc;
namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::ptrdiff_t count(const fs::path& folder) { return std::distance(fs::directory_iterator(folder), fs::directory_iterator()); }

}  // namespace

TEST_CASE("files are written into a new folder") {
  const TemporaryFolder holder;
  write_files(holder.path() / "a" / "b", {{"x.h", "one"}, {"x.cpp", "two"}});
  CHECK(read(holder.path() / "a" / "b" / "x.h") == "one");
  CHECK(read(holder.path() / "a" / "b" / "x.cpp") == "two");
  CHECK(count(holder.path() / "a" / "b") == 2);
}

TEST_CASE("what cannot be written leaves the folder as it was") {
  const TemporaryFolder holder;
  write_files(holder.path(), {{"x.h", "old"}});
  fs::create_directory(holder.path() / "x.cpp");
  CHECK_THROWS_AS(write_files(holder.path(), {{"x.h", "new"}, {"x.cpp", "two"}}), UserError);
  CHECK(read(holder.path() / "x.h") == "old");
  CHECK(count(holder.path()) == 2);
}

TEST_CASE("a folder that cannot be made is named, and nothing of it stays") {
  const TemporaryFolder holder;
  std::ofstream(holder.path() / "file") << "text";
  CHECK_THROWS_WITH(write_files(holder.path() / "file" / "out", {{"x.h", "one"}}), Catch::Contains("file"));
  CHECK_THROWS_AS(write_files(holder.path() / "file", {{"x.h", "one"}}), UserError);
  CHECK(read(holder.path() / "file") == "text");
  CHECK(count(holder.path()) == 1);
}

TEST_CASE("a path that cannot even be looked at is named, and nothing is written") {
  const TemporaryFolder holder;
  fs::create_symlink(holder.path() / "loop", holder.path() / "loop");
  for (const fs::path& folder : {fs::path(), holder.path() / std::string(300, 'n'), holder.path() / "new" / std::string(300, 'n') / "new",
                                 holder.path() / "loop", holder.path() / "loop" / "new"}) {
    INFO(folder);
    CHECK_THROWS_AS(write_files(folder, {{"x.h", "one"}}), UserError);
    CHECK_THROWS_WITH(write_files(folder, {{"x.h", "one"}}), Catch::Contains("cannot be written"));
  }
  fs::create_symlink(holder.path() / "x.h", holder.path() / "x.h");
  CHECK_THROWS_WITH(write_files(holder.path(), {{"x.h", "one"}}), Catch::Contains("x.h"));
  CHECK(count(holder.path()) == 2);  // the links
}

TEST_CASE("a file with the same content is not touched") {
  const TemporaryFolder holder;
  write_files(holder.path(), {{"x.h", "one"}, {"x.cpp", "two"}});
  const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const char* name : {"x.h", "x.cpp"}) fs::last_write_time(holder.path() / name, long_ago);
  write_files(holder.path(), {{"x.h", "one"}, {"x.cpp", "three"}});
  CHECK(fs::last_write_time(holder.path() / "x.h") == long_ago);
  CHECK(fs::last_write_time(holder.path() / "x.cpp") != long_ago);
}

TEST_CASE("a tool that is missing or fails gives nothing") {
  const TemporaryFolder holder;
  CHECK(run_tool({"echo", "a b"}, holder.path()) == "a b\n");
  CHECK_FALSE(run_tool({"false"}, holder.path()));
  CHECK_FALSE(run_tool({"no-such-program-of-any-name"}, holder.path()));
}
