// Copies, padding, gathering, resizing, one-hot and cumulative sums: against references written out with
// indices; gradients through the identity <forward(x), dy> = <x, backward(dy)>, which holds for every linear
// map.
#include "runtime/move.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "runtime/move_shapes.h"
#include "runtime/resize.h"
#include "runtime/resize_tables.h"
#include "test/runtime/kernel_test.h"
#include "test/runtime/overlap.h"

namespace tinytc {
namespace {

std::vector<float> counting(int count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

int copied(const CopyShape& s) { return element_count(s.rank, s.dims); }

std::vector<float> run_copy(const CopyShape& shape, const std::vector<float>& x, int outputs) {
  std::vector<float> y(static_cast<std::size_t>(outputs));
  copy(shape, x.data(), y.data());
  return y;
}

/// <A x, z> = <x, A' z> for a linear forward and its gradient. 1e-12: sums of at most 200 products of size 1.
template <typename F, typename G>
void check_adjoint(int inputs, int outputs, F forward, G backward) {
  test::Random random(7);
  const std::vector<double> x = random.tensor<double>(inputs);
  const std::vector<double> dy = random.tensor<double>(outputs);
  std::vector<double> y(static_cast<std::size_t>(outputs), 0.0), dx(static_cast<std::size_t>(inputs), 0.0);
  forward(x.data(), y.data());
  backward(dy.data(), dx.data());
  CHECK(test::dot(y, dy) == Approx(test::dot(x, dx)).epsilon(1e-12).margin(1e-12));
  CHECK(test::dot(dx, dx) > 0);
}

}  // namespace

TEST_CASE("transpose moves every element to its place") {
  const std::vector<float> x = counting(2 * 3 * 4);
  const int perms[][3] = {{0, 1, 2}, {0, 2, 1}, {2, 0, 1}, {1, 0, 2}, {2, 1, 0}, {1, 2, 0}};
  const int dims[] = {2, 3, 4}, strides[] = {12, 4, 1};
  for (const auto& perm : perms) {
    const std::vector<float> y = run_copy(make_transpose_shape({3, {2, 3, 4}}, perm), x, 24);
    std::size_t at = 0;
    for (int a = 0; a < dims[perm[0]]; ++a) {
      for (int b = 0; b < dims[perm[1]]; ++b) {
        for (int c = 0; c < dims[perm[2]]; ++c) {
          CHECK(y[at++] == x[static_cast<std::size_t>(a * strides[perm[0]] + b * strides[perm[1]] +
                                                      c * strides[perm[2]])]);
        }
      }
    }
  }
  CHECK(make_transpose_shape({3, {2, 3, 4}}, perms[0]).rank == 1);
  CHECK(make_transpose_shape({3, {2, 3, 4}}, perms[2]).rank == 2);
}

TEST_CASE("slice takes steps forwards and backwards") {
  const int starts[] = {1, 4}, steps[] = {1, -2}, sizes[] = {2, 3};
  const CopyShape shape = make_slice_shape({2, {3, 5}}, starts, steps, sizes);
  CHECK(run_copy(shape, counting(15), 6) == std::vector<float>{10, 8, 6, 15, 13, 11});
  check_adjoint(
      15, 6, [&](const double* x, double* y) { copy(shape, x, y); },
      [&](const double* dy, double* dx) { copy(make_reversed_copy(shape), dy, dx); });
}

TEST_CASE("concat and split are each other's gradients") {
  std::vector<float> y(10, 0.0f);
  copy(make_concat_shape(2, 2, 5, 0), std::vector<float>{1, 2, 3, 4}.data(), y.data());
  copy(make_concat_shape(2, 3, 5, 2), std::vector<float>{5, 6, 7, 8, 9, 10}.data(), y.data());
  CHECK(y == std::vector<float>{1, 2, 5, 6, 7, 3, 4, 8, 9, 10});
  CHECK(run_copy(make_split_shape(2, 3, 5, 2), y, 6) == std::vector<float>{5, 6, 7, 8, 9, 10});
}

TEST_CASE("expand repeats") {
  const CopyShape shape = make_expand_shape({2, {2, 1}}, {3, {2, 2, 3}});
  CHECK(run_copy(shape, {1, 2}, 12) == std::vector<float>{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2});
  CHECK(run_copy(make_expand_shape({0, {}}, {1, {3}}), {4}, 3) == std::vector<float>{4, 4, 4});
}

TEST_CASE("copy_add adds") {
  std::vector<float> y = {1, 1, 1, 1};
  copy_add(make_concat_shape(2, 1, 2, 1), std::vector<float>{5, 6}.data(), y.data());
  CHECK(y == std::vector<float>{1, 6, 1, 7});
}

TEST_CASE("copies overlap exactly as their trait says") {
  const int swap[] = {1, 0}, rotate[] = {2, 0, 1};
  const int starts[] = {1, 4}, back[] = {1, -2}, forth[] = {2, 1}, sizes[] = {2, 3}, few[] = {1, 1};
  const CopyShape shapes[] = {make_transpose_shape({2, {4, 5}}, swap),
                              make_transpose_shape({3, {2, 3, 4}}, rotate),
                              make_slice_shape({2, {4, 5}}, starts, back, sizes),
                              make_slice_shape({2, {6, 7}}, starts, forth, sizes),
                              make_slice_shape({2, {3, 5}}, few, few, sizes),
                              make_split_shape(3, 2, 5, 2),
                              make_concat_shape(3, 2, 5, 2),
                              make_expand_shape({2, {3, 1}}, {2, {3, 4}}),
                              make_expand_shape({1, {4}}, {2, {3, 4}})};
  for (const CopyShape& shape : shapes) {
    int outputs = 1 + shape.y_offset;
    for (int d = 0; d < shape.rank; ++d) outputs += (shape.dims[d] - 1) * shape.y_strides[d];
    const std::vector<float> x = counting(42);
    // Only what the kernel writes counts: the elements between stay what they were.
    const auto written = [&](const std::vector<float>& y) {
      std::vector<float> packed(static_cast<std::size_t>(copied(shape)));
      CopyShape pack = shape;
      int stride = 1;
      for (int d = 7; d >= 0; --d) {
        pack.x_strides[d] = shape.y_strides[d];
        pack.y_strides[d] = stride;
        stride *= d < shape.rank ? shape.dims[d] : 1;
      }
      pack.x_offset = shape.y_offset;
      pack.y_offset = 0;
      copy(pack, y.data(), packed.data());
      return packed;
    };
    const auto kernel = [&](const float* from, float* to) { copy(shape, from, to); };
    const std::vector<float> expected = written(test::apart(x, outputs, kernel));
    const int lead = copy_lead_x(shape);
    for (int more = 0; more < 5; ++more) {
      CHECK(written(test::overlapped(x, outputs, lead + more, kernel)) == expected);
    }
    CHECK(written(test::overlapped(x, outputs, lead - 1, kernel)) != expected);
  }
}

TEST_CASE("pad has ONNX's modes") {
  const std::vector<float> x = {1, 2, 3};
  const auto padded = [&](int mode) {
    std::vector<float> y(8);
    pad(PadShape{1, {8}, {3}, {2}, mode}, 9.0f, x.data(), y.data());
    return y;
  };
  CHECK(padded(0) == std::vector<float>{9, 9, 1, 2, 3, 9, 9, 9});
  CHECK(padded(1) == std::vector<float>{1, 1, 1, 2, 3, 3, 3, 3});
  CHECK(padded(3) == std::vector<float>{2, 3, 1, 2, 3, 1, 2, 3});
  std::vector<float> y(7);
  pad(PadShape{1, {7}, {3}, {2}, 2}, 9.0f, x.data(), y.data());
  CHECK(y == std::vector<float>{3, 2, 1, 2, 3, 2, 1});
  std::vector<float> cropped(2);
  pad(PadShape{1, {2}, {3}, {-1}, 0}, 9.0f, x.data(), cropped.data());
  CHECK(cropped == std::vector<float>{2, 3});
  for (int mode = 0; mode < 4; ++mode) {
    const PadShape shape{3, {4, 6, 5}, {2, 4, 3}, {1, 1, 0}, mode};
    check_adjoint(
        24, 120, [&](const double* in, double* out) { pad(shape, 0.0, in, out); },
        [&](const double* dy, double* dx) { pad_grad(shape, dy, dx); });
  }
}

TEST_CASE("gather follows indices, keeps inside the tensor, and has the right gradients") {
  const GatherShape shape{2, 4, 3, 5};
  const std::int64_t index[] = {3, 0, -1, 0, 2};
  const std::vector<float> x = counting(24);
  std::vector<float> y(30);
  gather(shape, x.data(), index, y.data());
  CHECK(y[0] == 10);
  CHECK(y[3] == 1);
  CHECK(y[6] == 10);
  CHECK(y[29] == 21);
  CHECK(position_of(std::int32_t{7}, 4) == 3);
  CHECK(position_of(std::int32_t{-7}, 4) == 0);
  check_adjoint(
      24, 30, [&](const double* in, double* out) { gather(shape, in, index, out); },
      [&](const double* dy, double* dx) { gather_grad(shape, index, dy, dx); });
  check_adjoint(
      24, 30, [&](const double* in, double* out) { gather(shape, in, index, out); },
      [&](const double* dy, double* dx) { gather_weight_grad(shape, index, dy, StoreGradient<double>{dx}); });
  std::vector<std::int32_t> each(30);
  test::Random random(3);
  for (std::int32_t& i : each) i = random.integer(-4, 3);
  gather_elements(shape, x.data(), each.data(), y.data());
  CHECK(y[4] == x[static_cast<std::size_t>((each[4] + 4) % 4 * 3 + 1)]);
  CHECK(y[29] == x[static_cast<std::size_t>(12 + (each[29] + 4) % 4 * 3 + 2)]);
  check_adjoint(
      24, 30, [&](const double* in, double* out) { gather_elements(shape, in, each.data(), out); },
      [&](const double* dy, double* dx) { gather_elements_grad(shape, each.data(), dy, dx); });
}

// Expected values: the examples of ONNX's Resize specification (resize_upsample_scales_linear and its kin),
// one axis of each.
TEST_CASE("resize has ONNX's coordinate transforms") {
  std::int32_t low[4];
  float weight[4];
  const GatherShape shape{1, 2, 1, 4};
  const float x[] = {1, 2};
  const auto resized = [&](ResizeCoordinates coordinates) {
    std::vector<float> y(4);
    resize_linear_table(ResizeAxis{2, 4, 2, coordinates}, low, weight);
    resize_linear(shape, low, weight, x, y.data());
    return y;
  };
  CHECK(resized(ResizeCoordinates::half_pixel) == std::vector<float>{1, 1.25, 1.75, 2});
  CHECK(resized(ResizeCoordinates::asymmetric) == std::vector<float>{1, 1.5, 2, 2});
  const std::vector<float> corners = resized(ResizeCoordinates::align_corners);
  CHECK(corners[1] == Approx(4.0 / 3));
  CHECK(corners[3] == 2);
  resize_nearest_table(ResizeAxis{2, 4, 2, ResizeCoordinates::half_pixel}, ResizeNearest::round_prefer_floor,
                       low);
  CHECK(std::vector<int>(low, low + 4) == std::vector<int>{0, 0, 1, 1});
  resize_nearest_table(ResizeAxis{4, 3, 0.75, ResizeCoordinates::asymmetric}, ResizeNearest::ceil, low);
  CHECK(std::vector<int>(low, low + 3) == std::vector<int>{0, 2, 3});
  resize_nearest_table(ResizeAxis{4, 2, 0.5, ResizeCoordinates::half_pixel}, ResizeNearest::round_prefer_ceil,
                       low);
  CHECK(std::vector<int>(low, low + 2) == std::vector<int>{1, 3});
  std::int32_t wide_low[7];
  double wide_weight[7];
  resize_linear_table(ResizeAxis{4, 7, 1.75, ResizeCoordinates::half_pixel}, wide_low, wide_weight);
  const GatherShape wide{2, 4, 3, 7};
  check_adjoint(
      24, 42, [&](const double* in, double* out) { resize_linear(wide, wide_low, wide_weight, in, out); },
      [&](const double* dy, double* dx) { resize_linear_grad(wide, wide_low, wide_weight, dy, dx); });
}

TEST_CASE("one-hot and cumulative sums") {
  const std::int32_t index[] = {1, -1, 5};
  std::vector<float> hot(9);
  one_hot(AxisShape{3, 3, 1}, 0.0f, 1.0f, index, hot.data());
  CHECK(hot == std::vector<float>{0, 1, 0, 0, 0, 1, 0, 0, 0});
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> y(4);
  cumulative_sum(AxisShape{1, 4, 1}, false, false, x.data(), y.data());
  CHECK(y == std::vector<float>{1, 3, 6, 10});
  cumulative_sum(AxisShape{1, 4, 1}, true, true, x.data(), y.data());
  CHECK(y == std::vector<float>{9, 7, 4, 0});
  cumulative_sum(AxisShape{1, 2, 2}, false, false, x.data(), y.data());
  CHECK(y == std::vector<float>{1, 2, 4, 6});
}

}  // namespace tinytc
