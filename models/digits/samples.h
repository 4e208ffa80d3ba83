// The digits' sample file (layout: digits.py) as a view on its bytes. C++14, no heap, no library.
// The order of training: Random(seed) of models/lcg.h shuffles the indices 0 .. train() - 1 again before each
// epoch.
#ifndef TINYTC_MODELS_DIGITS_SAMPLES_H_
#define TINYTC_MODELS_DIGITS_SAMPLES_H_

#include <cstddef>
#include <cstdint>

namespace digits {

// A view on the bytes of a sample file, which must outlive it.
class Samples {
 public:
  Samples(const std::uint8_t* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  // False if the bytes are not a complete sample file of version 1.
  bool valid() const {
    return size_ >= kHeader && bytes_[0] == 'T' && bytes_[1] == 'T' && bytes_[2] == 'C' && bytes_[3] == 'D' &&
           word(4) == 1 && size_ == kHeader + std::size_t(digits()) * std::size_t(1 + pixels());
  }
  int digits() const { return word(6); }  // all: for training, then for testing
  int train() const { return word(8); }   // digits [0, train) are for training
  int pixels() const { return word(10); }

  std::int32_t label(int digit) const { return bytes_[kHeader + std::size_t(digit)]; }

  // Writes a digit as float [1][8][8], 0 to 16: the network's input.
  void input(int digit, float* out) const {
    const std::size_t begin = kHeader + std::size_t(digits()) + std::size_t(digit) * std::size_t(pixels());
    for (int pixel = 0; pixel < pixels(); ++pixel)
      out[pixel] = static_cast<float>(bytes_[begin + std::size_t(pixel)]);
  }

 private:
  static constexpr std::size_t kHeader = 12;
  int word(std::size_t at) const { return bytes_[at] | bytes_[at + 1] << 8; }

  const std::uint8_t* bytes_;
  std::size_t size_;
};

}  // namespace digits

#endif  // TINYTC_MODELS_DIGITS_SAMPLES_H_
