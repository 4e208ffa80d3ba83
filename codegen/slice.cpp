// The three steps of a slice; see slice.h.
#include "codegen/slice.h"

#include <future>
#include <set>
#include <string_view>

#include "codegen/headers.h"
#include "codegen/slice_closure.h"
#include "codegen/slice_text.h"
#include "codegen/source_tree.h"
#include "compiler/diagnostics.h"

namespace tinytc {

SliceResult slice(const SliceRequest& request) {
  require(!request.arms.empty(), "a slice needs at least one target configuration");
  std::map<std::string, std::string_view> texts;
  for (const auto& [path, text] : request.own_headers) texts.emplace(path, text);
  for (const HeaderFile& header : runtime_headers()) texts.emplace(header.path, header.text);
  const SourceTree tree = parse_headers(request.headers, texts);
  std::set<int> kept;
  // Clang reads the whole program for every arm, which is much of the time that tinytc takes: all arms at once.
  std::vector<std::future<std::set<int>>> reached;
  for (const TargetConfig& arm : request.arms)
    reached.push_back(std::async(std::launch::async, [&] { return reached_declarations(request, arm, tree); }));
  for (std::future<std::set<int>>& of_arm : reached) kept.merge(of_arm.get());
  return print_slice(tree, kept, request.program);
}

}  // namespace tinytc
