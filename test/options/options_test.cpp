// The command line: values that must be refused as wrong usage, and those that must not.
#include "compiler/options.h"

#include <catch2/catch.hpp>
#include <string>

#include "compiler/diagnostics.h"

namespace tinytc {

namespace {

Command parse(std::vector<const char*> words) {
  words.insert(words.begin(), {"tinytc", "model.onnx"});
  return parse_command(static_cast<int>(words.size()), words.data());
}

using Words = std::vector<const char*>;

}  // namespace

TEST_CASE("numbers of the optimizers outside their ranges are wrong usage") {
  for (const char* option : {"--beta1", "--beta2"})
    for (const char* value : {"nan", "-0.1", "1", "1.5", "inf", "half", "0.99999999999", "-1e-60"}) {  // the last but one is 1 as float
      INFO(option << " " << value);
      CHECK_THROWS_WITH(parse({"--train", "all", "--optimizer", "adam", option, value}), Catch::Contains("must be a number"));
    }
  for (const char* option : {"--momentum", "--epsilon", "--weight-decay"})
    for (const char* value : {"nan", "-1e-9", "inf", "small", "1e40", "1e300"}) {
      INFO(option << " " << value);
      CHECK_THROWS_WITH(parse({"--train", "all", option, value}), Catch::Contains("must be a number"));
    }
  for (double momentum : {0.0, 1.0, 1.5})  // torch.optim.SGD takes any that is not negative
    CHECK(parse({"--train", "all", "--momentum", std::to_string(momentum).c_str()}).options.optimizer.momentum == momentum);
  CHECK(parse({"--train", "all", "--momentum", "1", "--nesterov"}).options.optimizer.nesterov);
  CHECK(parse({"--train", "all", "--optimizer", "adam", "--beta2", "0.9999", "--epsilon", "0"}).options.optimizer.beta2 == 0.9999);
}

TEST_CASE("options that need or exclude one another are wrong usage") {
  for (const Words& words : {Words{"--train", "all", "--nesterov"}, Words{"--train", "all", "--optimizer", "adam", "--momentum", "0.9"},
                             Words{"--quantize", "int4", "--calibrate", "s.npz"}, Words{"--quantize", "int8"}, Words{"--equalize"},
                             Words{"--quantize", "int8", "--calibrate", "s.npz", "--train", "all"}, Words{"--target-file", "board.json"},
                             Words{"--name", "class"}, Words{"--prefer", "luck"}, Words{"--no-such-option"}}) {
    INFO(words.front() << " and " << words.size() - 1 << " more");
    CHECK_THROWS_AS(parse(words), UsageError);
  }
}

TEST_CASE("names that would hide or meet the C library's are made others, or refused") {
  const auto name_of = [](const char* model) {
    const char* words[] = {"tinytc", model};
    return parse_command(2, words).options.name;
  };
  CHECK(name_of("dir/time.onnx") == "model_time");
  CHECK(name_of("class.onnx") == "model_class");
  CHECK(name_of("9lives.onnx") == "model_9lives");
  CHECK(name_of("foo.bar.onnx") == "foo_bar");
  CHECK(name_of("timer.onnx") == "timer");
  CHECK(parse({"--print-name"}).text == "model\n");
  CHECK(parse({"--print-name", "--name", "other"}).text == "other\n");
  for (const char* name : {"int32_t", "sin", "EOF", "time", "errno"}) CHECK_THROWS_WITH(parse({"--name", name}), Catch::Contains("another name"));
}

TEST_CASE("options without effect are wrong usage, and the message says what they need") {
  for (const Words& words : {Words{"--optimizer", "adam"}, Words{"--momentum", "0.9"}, Words{"--nesterov"}, Words{"--beta1", "0.5"},
                             Words{"--beta2", "0.5"}, Words{"--epsilon", "1"}, Words{"--weight-decay", "1"}, Words{"--accumulate"}, Words{"--batch-norm", "train"}}) {
    CHECK_THROWS_WITH(parse(words), Catch::Contains(words.front() + std::string(" needs --train")));
    Words none = words;
    none.insert(none.end(), {"--train", "none"});
    CHECK_THROWS_AS(parse(none), UsageError);
  }
  CHECK(parse({"--loss", "mse"}).options.loss == "mse");  // evaluate() needs no training
  for (const char* option : {"--beta1", "--beta2", "--epsilon"}) {
    CHECK_THROWS_WITH(parse({"--train", "all", option, "0.5"}), Catch::Contains("belongs to --optimizer adam"));
    CHECK_NOTHROW(parse({"--train", "all", "--optimizer", "adamw", option, "0.5"}));
  }
  CHECK_THROWS_WITH(parse({"--target", "host", "--target-file", "b.yaml"}), Catch::Contains("leave one out"));
  CHECK(parse({"--target-file", "b.yaml"}).options.target == "b.yaml");
  CHECK_THROWS_WITH(parse({"--calibration", "minmax"}), Catch::Contains("--calibration belongs to --quantize int8"));
  CHECK(parse({"--keep-float", "a,b*"}).options.quantization.names.keep_float == std::vector<std::string>{"a", "b*"});  // of a model that came quantized, too
}

TEST_CASE("whole numbers and lists are refused in a few words") {
  for (const char* option : {"--batch", "--planner-effort"})
    for (const char* value : {"-1", "x", "1.5", "99999999999999999999"}) {
      INFO(option << " " << value);
      CHECK_THROWS_WITH(parse({option, value}), Catch::Contains("must be a whole number from") && !Catch::Contains("000000"));
    }
  CHECK_THROWS_AS(parse({"--batch", "0"}), UsageError);
  CHECK(parse({"--planner-effort", "0"}).options.planner_effort == 0);
  for (const char* list : {"last:1,,bias", ",all", "all,"}) CHECK_THROWS_WITH(parse({"--train", list}), Catch::Contains("a part of the list is empty"));
  for (const char* option : {"-o", "--name", "--train", "--loss", "--ram", "--calibrate"}) CHECK_THROWS_WITH(parse({option, ""}), Catch::Contains("the value is empty"));
}

TEST_CASE("the list of operators has those that import writes with others") {
  const std::string list = parse({"--list-ops"}).text;
  for (const char* name : {"Conv", "InstanceNormalization", "GroupNormalization", "GatherND", "QLinearConv", "DynamicQuantizeLinear", "com.microsoft.QGemm"})
    CHECK_THAT("\n" + list, Catch::Contains(std::string("\n") + name + " "));
  CHECK(list.find("QGemm") > list.find("Xor"));
}

TEST_CASE("sizes and dimensions are read to their end") {
  for (const char* size : {"96X", "-1K", "K", "1.5.2K", "99999999999999999999"}) CHECK_THROWS_AS(parse({"--ram", size}), UsageError);
  CHECK(parse({"--ram", "96K"}).options.ram == 96 * 1024);
  for (const char* dim : {"n", "=3", "n=", "n=0", "n=-1", "n=3x"}) CHECK_THROWS_AS(parse({"--dim", dim}), UsageError);
  CHECK_THROWS_AS(parse({"--dim", "n=3", "--dim", "n=4"}), UsageError);
  CHECK(parse({"--dim", "n=3", "--dim", "a=b=4"}).options.import.dims == std::map<std::string, std::int64_t>{{"n", 3}, {"a=b", 4}});
}

}  // namespace tinytc
