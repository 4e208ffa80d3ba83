// The adaptation protocol. Written by make.py from protocol.json; do not edit.
#ifndef TINYTC_MODELS_SHOULDER_PROTOCOL_H_
#define TINYTC_MODELS_SHOULDER_PROTOCOL_H_

namespace shoulder {

// The people held out; each adapts with every seed from 0 to kSeeds - 1.
constexpr int kHeldOut[] = {6, 7, 8, 9, 10};
constexpr int kSeeds = 10;
constexpr int kWindowsPerRecording = 3;
constexpr int kEpochs = 20;
constexpr float kLearningRates[kEpochs] = {
    0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f,
    0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f, 0.004f,
};
// Windows that a person may adapt on, at most.
constexpr int kMaxPool = 70;
// The network is compiled with tinytc --train of this.
constexpr const char* kTrain = "all";

}  // namespace shoulder

#endif  // TINYTC_MODELS_SHOULDER_PROTOCOL_H_
