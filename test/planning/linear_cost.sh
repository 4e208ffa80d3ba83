#!/bin/sh
# Instructions that ordering and planning take for chains of 1,000, 5,000 and 10,000 nodes: the cost per node must stay within
# 15 % (what the project promises for a whole compilation). linear_cost.sh CHAIN_COST. Exit code 77 (skipped) without valgrind.
set -eu
if ! command -v valgrind > /dev/null; then
  echo "skipped: valgrind is not installed"
  exit 77
fi
count() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
bad=0
for kind in offsets order; do
  start=$(count "$1" $kind 1)
  base=
  for nodes in 1000 5000 10000; do
    per_node=$((($(count "$1" $kind $nodes) - start) / nodes))
    base=${base:-$per_node}
    echo "$kind: $nodes nodes, $per_node instructions a node"
    if [ $((per_node * 100)) -gt $((base * 115)) ]; then
      echo "  more than 15 % above the cost at 1,000 nodes"
      bad=1
    fi
  done
done
exit $bad
