// Solves memory planning problems given as CSV files (columns id,lower,upper,size; the capacity in bytes
// stands in the file's name: A.1048576.csv), checks each answer with the validator, and prints peak, lower
// bound and search nodes.
//
//   solve_planning_csv [--effort NODES] [--optimal] FILE...
//
// --optimal ignores the capacity and looks for the least peak. Exit code 0 if every plan is valid and fits,
// else 1.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "passes/plan_offsets.h"
#include "passes/validate_plan.h"

namespace {

tinytc::PlanItem parse_row(const std::string& line) {
  std::istringstream row(line);
  std::string id, lower, upper, size;
  std::getline(row, id, ',');
  std::getline(row, lower, ',');
  std::getline(row, upper, ',');
  std::getline(row, size, ',');
  return {std::stoll(size), 1, std::stoll(lower), std::stoll(upper)};
}

tinytc::OffsetProblem read_problem(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || line.rfind("id,lower,upper,size", 0) != 0) {
    throw std::runtime_error(path.string() + ": not a planning problem (id,lower,upper,size)");
  }
  tinytc::OffsetProblem problem;
  while (std::getline(file, line)) {
    if (!line.empty()) problem.items.push_back(parse_row(line));
  }
  problem.capacity = std::stoll(path.stem().extension().string().substr(1));
  return problem;
}

bool solve(const std::filesystem::path& path, std::int64_t effort, bool optimal) {
  tinytc::OffsetProblem problem = read_problem(path);
  const std::int64_t capacity = *problem.capacity;
  if (optimal) problem.capacity.reset();
  const tinytc::OffsetPlan plan = tinytc::plan_offsets(problem, effort);
  const bool fits = plan.peak <= capacity;
  fmt::print("{}: {} items, peak {} of {}, lower bound {}{}, {} nodes{}\n", path.filename().string(),
             problem.items.size(), plan.peak, capacity, plan.lower_bound, plan.optimal ? " (optimal)" : "",
             plan.nodes, fits ? "" : ", DOES NOT FIT");
  std::fflush(stdout);
  problem.capacity.reset();
  const std::vector<std::string> violations = tinytc::validate_plan(problem, plan.offsets, plan.peak);
  for (const std::string& violation : violations) fmt::print("  {}\n", violation);
  return fits && violations.empty();
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t effort = 1'000'000;  // search nodes
  bool optimal = false;
  bool good = true;
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--optimal") {
        optimal = true;
      } else if (argument == "--effort" && i + 1 < argc) {
        effort = std::stoll(argv[++i]);
      } else {
        good = solve(argument, effort, optimal) && good;
      }
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "solve_planning_csv: {}\n", error.what());
    return 1;
  }
  return good ? 0 : 1;
}
