// One person's sample file (layout: samples.py) as a view on its bytes, and the order of the training steps.
// C++14, no heap, no library: firmware and host tests use it alike. The numbers of the protocol are in
// protocol.h.
#ifndef TINYTC_MODELS_SHOULDER_SAMPLES_H_
#define TINYTC_MODELS_SHOULDER_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "models/lcg.h"

namespace shoulder {

// A view on the bytes of a sample file, which must outlive it. Bytes are read one by one: no alignment is
// needed.
class Samples {
 public:
  Samples(const std::uint8_t* bytes, std::size_t size) : bytes_(bytes), size_(size) {}

  // False if the bytes are not a complete sample file of version 1.
  bool valid() const {
    return size_ >= kHeader && bytes_[0] == 'T' && bytes_[1] == 'T' && bytes_[2] == 'C' && bytes_[3] == 'W' &&
           word(4) == 1 &&
           size_ == values() + std::size_t(2) * std::size_t(windows()) * std::size_t(window_elements());
  }
  int subject() const { return word(6); }
  int windows() const { return word(8); }  // all: the pool, then the test windows
  int pool() const { return word(10); }    // windows [0, pool) are for adaptation
  int channels() const { return word(12); }
  int samples() const { return word(14); }  // per channel and window
  int window_elements() const { return channels() * samples(); }

  std::int32_t label(int window) const { return bytes_[row(window)]; }
  int recording(int window) const { return bytes_[row(window) + 1]; }

  // Writes a window as float [channels][samples] in g and rad/s: the network's input.
  void input(int window, float* out) const {
    std::size_t at = values() + std::size_t(2) * std::size_t(window) * std::size_t(window_elements());
    for (int channel = 0; channel < channels(); ++channel) {
      const float unit = scale(channel);
      for (int sample = 0; sample < samples(); ++sample, at += 2) {
        const int count = word(at) < 0x8000 ? word(at) : word(at) - 0x10000;
        *out++ = static_cast<float>(count) * unit;
      }
    }
  }

 private:
  static constexpr std::size_t kHeader = 16;

  int word(std::size_t at) const { return bytes_[at] | bytes_[at + 1] << 8; }
  std::size_t row(int window) const {
    return kHeader + std::size_t(4) * std::size_t(channels()) + std::size_t(4) * std::size_t(window);
  }
  std::size_t values() const { return row(windows()); }
  float scale(int channel) const {
    const std::size_t at = kHeader + std::size_t(4) * std::size_t(channel);
    float value = 0.0f;
    std::memcpy(&value, bytes_ + at, sizeof value);  // the file and every target are little endian
    return value;
  }

  const std::uint8_t* bytes_;
  std::size_t size_;
};

// The adaptation of one person with one seed: draw() once, then next_epoch() before each epoch.
// Capacity bounds the windows of the pool.
template <int Capacity>
class Sequence {
 public:
  Sequence(int subject, int seed) : random_(static_cast<std::uint32_t>(subject * 1000 + seed)) {}

  // From each recording in turn draws `per_recording` windows of the pool. False if the pool exceeds
  // Capacity.
  bool draw(const Samples& samples, int per_recording) {
    if (samples.pool() > Capacity) return false;
    int own[Capacity];
    int begin = 0;
    count_ = 0;
    while (begin < samples.pool()) {
      int end = begin;
      for (; end < samples.pool() && samples.recording(end) == samples.recording(begin); ++end)
        own[end - begin] = end;
      random_.shuffle(own, end - begin);
      for (int i = 0; i < per_recording && i < end - begin; ++i) windows_[count_++] = own[i];
      begin = end;
    }
    return true;
  }
  void next_epoch() { random_.shuffle(windows_, count_); }
  int count() const { return count_; }                   // training steps of an epoch
  int window(int step) const { return windows_[step]; }  // window to train on at this step of the epoch

 private:
  example::Random random_;
  int windows_[Capacity] = {};
  int count_ = 0;
};

}  // namespace shoulder

#endif  // TINYTC_MODELS_SHOULDER_SAMPLES_H_
