/** The one place of these tests that names the engine; everything else knows the contract. */
import {
  DEFAULT_TIMINGS,
  type RaftEngineContract,
  type RaftLimits,
  type RaftOptions,
  type RaftTimings,
} from '../../src/raft/contract.ts';
import { RaftEngine } from '../../src/raft/engine.ts';

export function engineOf(options: RaftOptions): RaftEngineContract {
  return new RaftEngine(options);
}

export const TEST_TIMINGS: RaftTimings = DEFAULT_TIMINGS;

/** Small enough that tests meet each. */
export const TEST_LIMITS: RaftLimits = {
  maxAppendEntries: 64,
  maxAppendBytes: 64 * 1024,
  maxInFlight: 2,
  maxInFlightBytes: 128 * 1024,
  maxUncommittedBytes: 1024 * 1024,
  maxUncommittedEntries: 1000,
  maxTrailingToPromote: 5,
  trailingEntries: 2,
  maxCachedBytes: 64 * 1024,
  maxWaitingReads: 16,
};
