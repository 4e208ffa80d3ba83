// The two configurations that every slice includes.
#include "codegen/target_config.h"

namespace tinytc {
namespace {

bool same(const TargetConfig& a, const TargetConfig& b) {
  return a.triple == b.triple && a.cpu == b.cpu && a.features == b.features && a.float_abi == b.float_abi &&
         a.abi == b.abi && a.defines == b.defines && a.int32_type == b.int32_type;
}

}  // namespace

TargetConfig host_config() {
  TargetConfig config;
  config.triple = "x86_64-unknown-linux-gnu";
  return config;
}

TargetConfig portable_config() {
  TargetConfig config;
  config.triple = "thumbv6m-none-unknown-eabi";
  config.cpu = "cortex-m0plus";
  config.float_abi = "soft";
  config.int32_type = "long";
  return config;
}

std::vector<TargetConfig> slice_arms(const TargetConfig& target) {
  std::vector<TargetConfig> arms{target};
  for (const TargetConfig& other : {host_config(), portable_config()}) {
    bool known = false;
    for (const TargetConfig& arm : arms) known = known || same(arm, other);
    if (!known) arms.push_back(other);
  }
  return arms;
}

}  // namespace tinytc
