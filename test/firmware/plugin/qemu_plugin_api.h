// The part of QEMU's TCG plugin interface (version 1, QEMU 6.0 to 8.x) that the counting plugin uses.
//
// Debian packages QEMU without the header of this interface, so the functions are declared here, by their
// documented signatures; they are resolved against the running QEMU when it loads the plugin.
#ifndef TINYTC_TEST_FIRMWARE_PLUGIN_QEMU_PLUGIN_API_H
#define TINYTC_TEST_FIRMWARE_PLUGIN_QEMU_PLUGIN_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QEMU_PLUGIN_API_VERSION 1

struct qemu_plugin_tb;    // a translated block: instructions that run in a row
struct qemu_plugin_insn;  // one instruction of it; both are valid only inside the translation callback

// Whether a callback looks at the guest's registers; ours never do.
enum { QEMU_PLUGIN_CB_NO_REGS = 0 };

// What QEMU tells about itself at installation. target_name is "arm", "riscv32", ...
struct qemu_plugin_host {
  const char* target_name;
  int version_min, version_current;
  bool system_emulation;
  int smp_vcpus, max_vcpus;
};

typedef void (*qemu_plugin_translated)(uint64_t id, struct qemu_plugin_tb* tb);
typedef void (*qemu_plugin_executed)(unsigned int vcpu, void* user);
typedef void (*qemu_plugin_finished)(uint64_t id, void* user);

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, qemu_plugin_translated callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb* tb, qemu_plugin_executed callback, int flags,
                                          void* user);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn* insn, qemu_plugin_executed callback,
                                            int flags, void* user);
void qemu_plugin_register_atexit_cb(uint64_t id, qemu_plugin_finished callback, void* user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* tb);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb* tb, size_t index);
const void* qemu_plugin_insn_data(const struct qemu_plugin_insn* insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn* insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn* insn);

#endif  // TINYTC_TEST_FIRMWARE_PLUGIN_QEMU_PLUGIN_API_H
