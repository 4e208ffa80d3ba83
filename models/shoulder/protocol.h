// The adaptation protocol. Written by make.py from protocol.json; do not edit.
#ifndef TINYTC_MODELS_SHOULDER_PROTOCOL_H_
#define TINYTC_MODELS_SHOULDER_PROTOCOL_H_

namespace shoulder {

constexpr int kHeldOut[] = {6, 7, 8, 9, 10};  // people
constexpr int kSeeds = 10;  // 0 .. kSeeds - 1 for each person
constexpr int kWindowsPerRecording = 3;
constexpr int kEpochs = 20;
constexpr float kLearningRates[kEpochs] = {
    0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f,
    0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f,
};
constexpr int kMaxPool = 70;  // windows that a person may adapt on, at most
constexpr const char* kTrain = "all";  // tinytc --train

}  // namespace shoulder

#endif  // TINYTC_MODELS_SHOULDER_PROTOCOL_H_
