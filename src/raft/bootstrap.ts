/**
 * A cluster of one's own: what its first servers have on their disks before any of them has started (hashicorp/raft,
 * `BootstrapCluster`). It is written only because an operator says so, and only on a blank disk.
 */
import { ok, type Result } from '../base/result.ts';
import { checkConfiguration } from './configuration.ts';
import type { ConfigurationCodec, HardState } from './contract.ts';
import { ENTRY_TYPES, type Configuration, type Entry } from './messages.ts';

export interface BootstrapRecords {
  readonly hardState: HardState;
  readonly entry: Entry;
}

/** Refusals: `raft-configuration-invalid`. */
export function bootstrapEntry(configuration: Configuration, codec: ConfigurationCodec): Result<BootstrapRecords> {
  const problem = checkConfiguration(configuration);
  if (!problem.ok) return problem;
  const data = codec.encode(configuration);
  const { configuration: type } = ENTRY_TYPES;
  return ok({
    hardState: { term: 1, votedFor: null },
    entry: { index: 1, term: 1, type, data, extensions: null, appendedAt: undefined },
  });
}
