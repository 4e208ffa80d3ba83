// Two steps: Marker finds the macros that are used, until nothing is added; Printer walks the tree.
#include "codegen/slice_text.h"

#include <algorithm>
#include <map>

#include "codegen/source_lexer.h"

namespace tinytc {
namespace {

using Kind = SourceNode::Kind;

/// Marks nodes to print: each declaration kept, what encloses it, each macro used in what is marked.
class Marker {
 public:
  explicit Marker(const SourceTree& tree) : tree_(tree), kept_(tree.nodes.size(), false) {
    for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
      if (tree.nodes[i].kind == Kind::macro) macros_[tree.nodes[i].name].push_back(static_cast<int>(i));
    }
  }

  void use(std::string_view identifier) {
    const auto found = macros_.find(identifier);
    if (found == macros_.end() || !used_.insert(identifier).second) return;
    for (int macro : found->second) keep(macro);
  }

  void keep(int index) {
    for (int at = index; at >= 0 && !kept_[static_cast<std::size_t>(at)];
         at = tree_.nodes[static_cast<std::size_t>(at)].parent) {
      kept_[static_cast<std::size_t>(at)] = true;
      const SourceNode& node = tree_.nodes[static_cast<std::size_t>(at)];
      for (std::string_view name : node.identifiers) use(name);
      if (node.kind != Kind::conditional) continue;
      for (int branch : node.children) keep_skeleton(branch);
    }
  }

  const std::vector<bool>& kept() const { return kept_; }
  const std::set<std::string_view>& used() const { return used_; }

 private:
  /// Every directive of a kept group stays, and so do the #error lines in its branches.
  void keep_skeleton(int branch) {
    const SourceNode& node = tree_.nodes[static_cast<std::size_t>(branch)];
    for (std::string_view name : node.identifiers) use(name);
    for (int child : node.children) {
      if (tree_.nodes[static_cast<std::size_t>(child)].kind == Kind::error) keep(child);
    }
  }

  const SourceTree& tree_;
  std::vector<bool> kept_;
  std::set<std::string_view> used_;
  std::map<std::string_view, std::vector<int>> macros_;
};

class Printer {
 public:
  Printer(const SourceTree& tree, const std::vector<bool>& kept) : tree_(tree), kept_(kept) {}

  void print(int index) {
    const SourceNode& node = tree_.nodes[static_cast<std::size_t>(index)];
    if (node.kind == Kind::include && node.system) return;
    if (!kept_[static_cast<std::size_t>(index)]) return;
    switch (node.kind) {
      case Kind::file:
        gap_ = true;
        children(node);
        gap_ = true;
        break;
      case Kind::include:
        children(node);
        break;
      case Kind::scope:
        scope(index, node);
        break;
      case Kind::conditional:
        conditional(node);
        break;
      default:
        line(index);
    }
  }

  const std::string& text() const { return text_; }

 private:
  void children(const SourceNode& node) {
    int previous = -1;
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      const int child = node.children[i];
      if (!kept_[static_cast<std::size_t>(child)]) continue;
      const bool neighbours = previous >= 0 && static_cast<std::size_t>(previous) + 1 == i;
      if (tree_.nodes[static_cast<std::size_t>(child)].blank_before || (previous >= 0 && !neighbours))
        gap_ = true;
      print(child);
      previous = static_cast<int>(i);
    }
  }

  /// Opens a namespace, or goes on with it if the same one was closed last.
  void scope(int index, const SourceNode& node) {
    const std::string_view opening = tree_.text(index);
    if (!closed_.empty() && closed_ == opening && text_.size() == closed_at_) {
      text_.resize(close_begin_);
      gap_ = true;
    } else {
      append(opening);
      gap_ = true;
    }
    children(node);
    close_begin_ = text_.size();
    gap_ = true;
    append(between(node.file, node.close_begin, node.close_end));
    gap_ = true;
    closed_ = opening;
    closed_at_ = text_.size();
  }

  /// Prints all directives of a group, without empty branches at its end.
  void conditional(const SourceNode& node) {
    std::size_t branches = node.children.size();
    while (branches > 1 && !kept_[static_cast<std::size_t>(node.children[branches - 1])]) --branches;
    for (std::size_t i = 0; i < branches; ++i) {
      const int branch = node.children[i];
      const SourceNode& inside = tree_.nodes[static_cast<std::size_t>(branch)];
      line(branch);
      gap_ = false;
      if (kept_[static_cast<std::size_t>(branch)]) children(inside);
      if (inside.blank_before && i > 0) gap_ = true;
    }
    append(between(node.file, node.close_begin, node.close_end));
  }

  void line(int index) { append(tree_.text(index)); }

  void append(std::string_view piece) {
    if (gap_ && !text_.empty()) text_ += '\n';
    gap_ = false;
    text_.append(piece).push_back('\n');
  }

  std::string_view between(int file, std::size_t begin, std::size_t end) const {
    return tree_.files[static_cast<std::size_t>(file)].text.substr(begin, end - begin);
  }

  const SourceTree& tree_;
  const std::vector<bool>& kept_;
  std::string text_;
  bool gap_ = false;         ///< an empty line is due before the next piece
  std::string_view closed_;  ///< the opening of the scope that was closed last
  std::size_t close_begin_ = 0, closed_at_ = 0;
};

/// The standard headers of every file of which something is kept.
std::vector<std::string> standard_includes(const SourceTree& tree, const std::vector<bool>& kept) {
  std::set<std::string> names;
  for (const SourceNode& node : tree.nodes) {
    if (node.kind != Kind::include || !node.system) continue;
    if (kept[static_cast<std::size_t>(tree.files[static_cast<std::size_t>(node.file)].root)]) {
      names.insert("<" + std::string(node.name) + ">");
    }
  }
  return {names.begin(), names.end()};
}

}  // namespace

SliceResult print_slice(const SourceTree& tree, const std::set<int>& kept, const std::string& program) {
  Marker marker(tree);
  for (int declaration : kept) marker.keep(declaration);
  for (std::string_view name : identifiers_of(program)) marker.use(name);
  Printer printer(tree, marker.kept());
  for (int root : tree.roots) printer.print(root);
  SliceResult result;
  result.includes = standard_includes(tree, marker.kept());
  result.text = printer.text();
  for (std::string_view name : marker.used()) result.macros.emplace_back(name);
  return result;
}

}  // namespace tinytc
