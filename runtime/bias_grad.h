// The gradient of what is added to each channel.
#ifndef TINYTC_RUNTIME_BIAS_GRAD_H
#define TINYTC_RUNTIME_BIAS_GRAD_H

#include "runtime/base.h"

namespace tinytc {

/// `outer` times `channels` times `inner` elements; channels-last: inner = 1.
struct ChannelShape {
  int outer;
  int channels;
  int inner;
};
template <typename V>
constexpr void visit(const ChannelShape& s, V&& v) {
  v("outer", s.outer);
  v("channels", s.channels);
  v("inner", s.inner);
}

/// The sums of C neighbouring channels from `channel` on.
template <int C, typename T, typename Sink>
TINYTC_INLINE void bias_grad_channels(const ChannelShape& s, const T* dy, int channel, const Sink& sink) {
  T s0 = T(0);
  T s1 = T(0);
  T s2 = T(0);
  T s3 = T(0);
  dy += channel * s.inner;
  for (int outer = 0; outer < s.outer; ++outer) {
    for (int i = 0; i < s.inner; ++i) {
      s0 += dy[i];
      if (C > 1) s1 += dy[s.inner + i];
      if (C > 2) s2 += dy[2 * s.inner + i];
      if (C > 3) s3 += dy[3 * s.inner + i];
    }
    dy += s.channels * s.inner;
  }
  sink(channel, s0);
  if (C > 1) sink(channel + 1, s1);
  if (C > 2) sink(channel + 2, s2);
  if (C > 3) sink(channel + 3, s3);
}

/// Gradient of a bias: sink(channel, sum of dy over outer and inner in order). dy: [outer][channels][inner].
template <typename T, typename Sink>
TINYTC_INLINE void bias_grad(const ChannelShape& s, const T* dy, Sink sink) {
  const int full = s.channels / 4 * 4;
  for (int c = 0; c < full; c += 4) {
    bias_grad_channels<4>(s, dy, c, sink);
  }
  for (int c = full; c < s.channels; ++c) {
    bias_grad_channels<1>(s, dy, c, sink);
  }
}

}  // namespace tinytc

#endif  // TINYTC_RUNTIME_BIAS_GRAD_H
