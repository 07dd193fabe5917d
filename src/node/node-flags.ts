/**
 * How Node is started for a process that runs a node. Left to itself, V8 lets the young generation grow to 128 MB where
 * garbage is made fast, which is half of all that a validator takes; bounded, it is collected more often, at 2 to 4 % more
 * CPU. Only a flag of the process can say so: the first line of bin/hotledger.js has the same.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=16'];
