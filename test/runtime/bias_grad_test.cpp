// bias_grad against its definition: channels last and in the middle.
#include "runtime/bias_grad.h"

#include <catch2/catch.hpp>

#include "test/runtime/kernel_test.h"

namespace {

using namespace tinytc;
using namespace tinytc::test;

TEST_CASE("bias_grad sums each channel") {
  // 1 and 5 channels: with and without a block of four; inner 1 and more.
  for (const ChannelShape& s :
       {ChannelShape{7, 5, 1}, ChannelShape{3, 5, 4}, ChannelShape{1, 9, 2}, ChannelShape{6, 1, 1}}) {
    Random random(4);
    const auto channels = static_cast<std::size_t>(s.channels), inner = static_cast<std::size_t>(s.inner);
    const auto dy = random.tensor<double>(s.outer * s.channels * s.inner);
    std::vector<double> expected(channels), gradient(channels);
    std::vector<int> calls(channels);
    for (std::size_t i = 0; i < dy.size(); ++i) expected[i / inner % channels] += dy[i];
    bias_grad(s, dy.data(), CountingSink<double>{gradient.data(), calls.data()});
    REQUIRE(all_ones(calls));
    REQUIRE(gradient == expected);  // the same order of additions
  }
}

}  // namespace
