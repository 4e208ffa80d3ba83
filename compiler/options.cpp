// The command line; see options.h. CLI11 does the parsing.
#include "compiler/options.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <set>

#include "codegen/source_text.h"
#include "compiler/library_names.h"
#include "compiler/list_ops.h"
#include "compiler/names.h"
#include "passes/add_loss.h"
#include "passes/plan_offsets.h"
#include "targets/target.h"

namespace tinytc {

const char* const version = TINYTC_VERSION;

namespace {

constexpr const char* examples = R"(
Examples:
  tinytc gesture.onnx --target nrf52840 -o firmware/src
      inference: writes gesture.h, gesture.cpp and gesture.report.json
  tinytc gesture.onnx --target nrf52840 --train last:2 --loss cross-entropy -o firmware/src
      the last two layers can be trained on the device, by SGD
  tinytc gesture.onnx --target stm32f746 --train all --loss mse --optimizer adam --accumulate -o out
      minibatches: accumulate() gradients, then apply() them
  tinytc model.onnx --target nrf52840 --quantize int8 --calibrate samples.npz -o out
      int8 firmware from a float model; samples.npz holds some typical inputs
  tinytc model.onnx --target-file board.yaml --ram 96K --prefer size -o out
      a board of one's own, within 96 KB of RAM, with little code

Exit codes: 0 done, 1 bad input or does not fit, 2 wrong usage, 70 a defect of tinytc. Nothing is written unless all went well.)";

/// What CLI11 fills before it is checked.
struct Raw {
  std::string model, out = ".", target = "host", target_file, name, train, loss, prefer = "balanced", batch_norm = "frozen", ram, flash;
  std::string quantize, validate, calibrate, calibration = "minmax", activations = "int8", input_type, output_type;
  std::vector<std::string> dims, dump, keep_float;
  std::int64_t batch = 0;
  std::optional<double> weight_decay;
  bool show_version = false, list_targets = false, list_ops = false, print_name = false;
  std::set<std::string> given;  // the options that stand on the command line, each by its long name

  bool has(const char* option) const { return given.contains(option); }
};

/// A number of [low, high), also as the float that firmware gets; neither NaN nor infinity is one.
CLI::Validator number_in(double low, double high, const char* described) {
  const auto problem = [=](std::string& text) {
    double number = 0;
    const bool good = CLI::detail::lexical_cast(text, number) && number >= low && static_cast<double>(static_cast<float>(number)) < high;
    return good ? std::string() : fmt::format("{} must be a number {} as float32", printable(text), described);
  };
  return {problem, described};
}

/// A whole number, at least `low`, in decimal.
CLI::Validator whole_number_from(std::int64_t low) {
  const auto problem = [=](std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool good = error == std::errc() && end == text.data() + text.size() && number >= low;
    return good ? std::string() : fmt::format("{} must be a whole number from {} to {}", printable(text), low, std::numeric_limits<std::int64_t>::max());
  };
  return {problem, fmt::format("whole, at least {}", low)};
}

void define_model_options(CLI::App& app, Raw& raw) {
  app.add_option("model", raw.model, "The ONNX file");
  app.add_option("-o,--out", raw.out, "Folder for the emitted files; made if it is missing")->capture_default_str();
  app.add_option("--target", raw.target, "Microcontroller to compile for (--list-targets)")->capture_default_str();
  app.add_option("--target-file", raw.target_file, "A target of one's own, a .yaml file");
  app.add_option("--name", raw.name, "Namespace and file name of the emitted code (default: from the model's file name)");
  app.add_option("--batch", raw.batch, "Bind a symbolic batch to N (default 1)")->check(whole_number_from(1));
  app.add_option("--dim", raw.dims, "Bind another symbolic dimension: NAME=N")->allow_extra_args(false);
}

void define_training_options(CLI::App& app, Raw& raw, Options& options) {
  const CLI::Validator share = number_in(0, 1, "in [0, 1)");  // at 1 Adam divides by zero
  const CLI::Validator not_negative = number_in(0, std::numeric_limits<double>::infinity(), "at least 0");
  app.add_option("--train", raw.train, "Tensors to train on the device: all, none, last:N, bias, GLOB, or a comma-separated union");
  app.add_option("--loss", raw.loss, "cross-entropy, mse, binary-cross-entropy, l1 or huber, when the graph has no loss");
  app.add_option("--optimizer", options.optimizer.kind, "sgd, adam or adamw")->check(CLI::IsMember({"sgd", "adam", "adamw"}))->capture_default_str();
  app.add_option("--momentum", options.optimizer.momentum, "of sgd; 1 and more are allowed, as in PyTorch")->check(not_negative)->capture_default_str();
  app.add_flag("--nesterov", options.optimizer.nesterov, "Nesterov momentum for sgd");
  app.add_option("--beta1", options.optimizer.beta1, "of adam and adamw")->check(share)->capture_default_str();
  app.add_option("--beta2", options.optimizer.beta2, "of adam and adamw")->check(share)->capture_default_str();
  app.add_option("--epsilon", options.optimizer.epsilon, "of adam and adamw")->check(not_negative)->capture_default_str();
  app.add_option("--weight-decay", raw.weight_decay, "default 0, for adamw 0.01")->check(not_negative);
  app.add_flag("--accumulate", options.accumulate, "Minibatches: accumulate() and apply() instead of train_step()");
  app.add_option("--batch-norm", raw.batch_norm, "In training: frozen running statistics, or train on each call's own")
      ->check(CLI::IsMember({"frozen", "train"}))->capture_default_str();
}

void define_quantization_options(CLI::App& app, Raw& raw, Options& options) {
  app.add_option("--quantize", raw.quantize, "int8: quantize a float model; needs --calibrate");
  app.add_option("--calibrate", raw.calibrate, "Samples of the inputs for --quantize, .npz or .npy");
  app.add_option("--validate", raw.validate, "Samples on which --quantize compares int8 with float (default: those of --calibrate)");
  app.add_option("--calibration", raw.calibration, "How ranges follow from them: minmax, percentile, mse or entropy")
      ->check(CLI::IsMember({"minmax", "percentile", "mse", "entropy"}))->capture_default_str();
  app.add_option("--activations", raw.activations, "int8, int16, or int16:GLOB,... for the tensors that these nodes read and compute")->capture_default_str();
  app.add_option("--keep-float", raw.keep_float, "Nodes of a quantized model, or with --quantize, to leave in float32: comma-separated names or patterns")->allow_extra_args(false);
  app.add_flag("--equalize", options.quantization.equalize, "Rescale channels of very different size between layers before quantizing");
  app.add_option("--input-type", raw.input_type, "int8 or float32: what predict() takes (default: as the model)")->check(CLI::IsMember({"int8", "float32"}));
  app.add_option("--output-type", raw.output_type, "int8 or float32: what it gives")->check(CLI::IsMember({"int8", "float32"}));
}

void define_code_options(CLI::App& app, Raw& raw, Options& options) {
  app.add_option("--ram", raw.ram, "RAM for the model, e.g. 96K (default: all of the target's)");
  app.add_option("--flash", raw.flash, "Flash for the model, e.g. 512K (default: all of the target's)");
  app.add_option("--prefer", raw.prefer, "speed, balanced or size")->check(CLI::IsMember({"speed", "balanced", "size"}))->capture_default_str();
  app.add_option("--planner-effort", options.planner_effort, "Search nodes for ordering and memory planning")
      ->check(whole_number_from(0))->capture_default_str();
  app.add_flag("--self-test", options.self_test, "Emit inputs, the host's outputs, and bool self_test()");
  app.add_flag("--yield", options.calls_yield, "Call NAME_yield(), a function of the firmware, between kernels");
}

void define_printing_options(CLI::App& app, Raw& raw, Options& options) {
  app.add_option("--dump", raw.dump, "Print the graph or program after a stage (a wrong name lists them)")
      ->allow_extra_args(false);
  app.add_flag("-q,--quiet", options.quiet, "Do not print the report");
  app.add_flag("--version", raw.show_version, "Print the version");
  app.add_flag("--list-targets", raw.list_targets, "Print the targets");
  app.add_flag("--list-ops", raw.list_ops, "Print the operators");
  app.add_flag("--print-name", raw.print_name, "Print the name that the emitted code gets, without reading the model");
}

/// In the order in which --help lists them.
void define_options(CLI::App& app, Raw& raw, Options& options) {
  define_model_options(app, raw);
  define_training_options(app, raw, options);
  define_quantization_options(app, raw, options);
  define_code_options(app, raw, options);
  define_printing_options(app, raw, options);
  app.footer(examples);
}

std::string targets_text() {
  std::string text;
  for (const std::string& name : list_targets()) text += fmt::format("{:<14} {}\n", name, load_target(name).description);
  return text;
}

[[noreturn]] void usage(const std::string& message) { throw UsageError(message + "\n  hint: tinytc --help"); }

std::string name_from(const std::string& model) {
  std::string name;
  for (char c : std::filesystem::path(model).stem().string())
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : (name.empty() || name.back() == '_' ? '\0' : '_');
  std::erase(name, '\0');
  while (!name.empty() && name.back() == '_') name.pop_back();
  if (!is_identifier(name) || !library_clash(name).empty()) name = "model_" + name;
  return is_identifier(name) ? name : "model";
}

std::optional<std::int64_t> size_option(const std::string& text, const char* option) {
  if (text.empty()) return std::nullopt;
  try {
    return parse_size(text);
  } catch (const UserError& error) {
    usage(fmt::format("{} {}: {}", option, printable(text), error.what()));
  }
}

void parse_dims(const std::vector<std::string>& dims, ImportOptions& import) {
  for (const std::string& dim : dims) {
    const std::size_t at = dim.rfind('=');
    std::int64_t extent = 0;
    const char *first = dim.data() + (at == std::string::npos ? dim.size() : at + 1), *last = dim.data() + dim.size();
    const auto [end, error] = std::from_chars(first, last, extent);
    if (at == std::string::npos || at == 0 || error != std::errc() || end != last || extent < 1) usage(fmt::format("--dim {}: must be NAME=N with a positive N", printable(dim)));
    if (!import.dims.emplace(dim.substr(0, at), extent).second) usage(fmt::format("--dim {}: stands twice", printable(dim.substr(0, at))));
  }
}

void check_quantization(const Raw& raw, Options& options) {
  if (!raw.quantize.empty() && raw.quantize != "int8") usage(fmt::format("--quantize {}: only int8 is supported", printable(raw.quantize)));
  options.quantize = !raw.quantize.empty();
  options.calibrate = raw.calibrate;
  options.validate = raw.validate;
  if (options.quantize && raw.calibrate.empty()) usage("--quantize needs --calibrate FILE: samples of the inputs, .npz or .npy");
  if (options.quantize && options.train) usage("--quantize with --train: training in int8 is not supported yet");
  for (const char* detail : {"--calibrate", "--validate", "--calibration", "--activations", "--equalize"})
    if (!options.quantize && raw.has(detail)) usage(fmt::format("{} belongs to --quantize int8", detail));
  for (Calibration method : {Calibration::minmax, Calibration::percentile, Calibration::mse, Calibration::entropy})
    if (name_of(method) == raw.calibration) options.quantization.calibration = method;
  for (const std::string& list : raw.keep_float)
    for (std::string& pattern : split_list(list)) options.quantization.names.keep_float.push_back(std::move(pattern));
  const std::string wide = "int16";
  if (raw.activations == wide) options.quantization.names.int16 = {"*"};
  else if (raw.activations.starts_with(wide + ":")) options.quantization.names.int16 = split_list(raw.activations.substr(wide.size() + 1));
  else if (raw.activations != "int8") usage(fmt::format("--activations {}: must be int8, int16 or int16:GLOB,...", printable(raw.activations)));
  const auto type = [](const std::string& name) { return name.empty() ? std::nullopt : std::optional(name == "int8" ? DType::i8 : DType::f32); };
  options.interface_types = {type(raw.input_type), type(raw.output_type)};
}

/// What is trained and how. An option that would have no effect is a mistake that would go unnoticed.
void check_training(const Raw& raw, Options& options) {
  if (raw.has("--train") && raw.train != "none") options.train = raw.train;
  for (const std::string& part : split_list(raw.train))
    if (raw.has("--train") && part.empty()) usage(fmt::format("--train {}: a part of the list is empty", printable(raw.train)));
  for (const char* option : {"--optimizer", "--momentum", "--nesterov", "--beta1", "--beta2", "--epsilon", "--weight-decay", "--accumulate", "--batch-norm"})
    if (!options.train && raw.has(option)) usage(fmt::format("{} needs --train", option));
  options.loss = raw.loss;
  const bool is_sgd = options.optimizer.kind == "sgd";
  options.optimizer.weight_decay = raw.weight_decay.value_or(options.optimizer.kind == "adamw" ? 0.01 : 0.0);
  for (const char* option : {"--momentum", "--nesterov"})
    if (!is_sgd && raw.has(option)) usage(fmt::format("{} belongs to --optimizer sgd", option));
  for (const char* option : {"--beta1", "--beta2", "--epsilon"})
    if (is_sgd && raw.has(option)) usage(fmt::format("{} belongs to --optimizer adam and adamw", option));
  if (options.optimizer.nesterov && options.optimizer.momentum == 0) usage("--nesterov needs --momentum");
  options.batch_norm = raw.batch_norm == "train" ? BatchNormMode::train : BatchNormMode::frozen;
}

Options checked(const Raw& raw, Options options) {
  if (raw.model.empty()) usage("no model given");
  options.model = raw.model;
  options.out = raw.out;
  if (raw.has("--target") && raw.has("--target-file")) usage("--target and --target-file name two targets; leave one out");
  options.target = raw.target_file.empty() ? raw.target : raw.target_file;
  if (!raw.target_file.empty() && !raw.target_file.ends_with(".yaml")) usage("--target-file: the file's name must end in .yaml");
  options.name = raw.name.empty() ? name_from(raw.model) : raw.name;
  if (!is_identifier(options.name)) usage(fmt::format("--name {}: must be a C++ identifier, no keyword, without '__'", printable(options.name)));
  if (const std::string clash = library_clash(options.name); !clash.empty())
    usage(fmt::format("--name {}: {}; another name is needed for the emitted namespace and files", printable(options.name), clash));
  options.import.batch = raw.batch;
  parse_dims(raw.dims, options.import);
  check_training(raw, options);
  options.prefer = raw.prefer == "speed" ? Preference::speed : raw.prefer == "size" ? Preference::size : Preference::balanced;
  options.ram = size_option(raw.ram, "--ram");
  options.flash = size_option(raw.flash, "--flash");
  options.dump = raw.dump;
  check_quantization(raw, options);
  return options;
}

}  // namespace

Command parse_command(int argc, const char* const* argv) {
  CLI::App app("tinytc: compiles an ONNX model to C++ firmware that runs and trains it, from one static arena.", "tinytc");
  Raw raw;
  Options options;
  options.planner_effort = default_planner_effort;
  define_options(app, raw, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return {Command::Kind::print, {}, app.help()};
  } catch (const CLI::ParseError& error) {
    usage(error.what());
  }
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0) continue;
    raw.given.insert(option->get_name());
    for (const std::string& value : option->results())
      if (value.empty()) usage(fmt::format("{}: the value is empty", option->get_name()));
  }
  if (raw.show_version) return {Command::Kind::print, {}, fmt::format("tinytc {}\n", version)};
  if (raw.list_targets) return {Command::Kind::print, {}, targets_text()};
  if (raw.list_ops) return {Command::Kind::print, {}, operators_text(rewritten_operators())};
  options = checked(raw, std::move(options));
  if (raw.print_name) return {Command::Kind::print, {}, options.name + "\n"};
  return {Command::Kind::compile, std::move(options), {}};
}

}  // namespace tinytc
