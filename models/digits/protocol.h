// The training protocol. Written by make.py from protocol.json; do not edit.
#ifndef TINYTC_MODELS_DIGITS_PROTOCOL_H_
#define TINYTC_MODELS_DIGITS_PROTOCOL_H_

namespace digits {

constexpr int kEpochs = 4;
constexpr float kLearningRates[kEpochs] = {0.04f, 0.02f, 0.01f, 0.005f};

}  // namespace digits

#endif  // TINYTC_MODELS_DIGITS_PROTOCOL_H_
