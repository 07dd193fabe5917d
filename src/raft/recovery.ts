/**
 * A majority is lost for ever, and an operator says who is left (hashicorp/raft, `RecoverCluster`). What this server holds
 * becomes a snapshot with the configuration that the operator names, and the log goes: an entry in it might be another
 * configuration. Entries that were not committed are taken as if they were, and what only the lost ones held is lost.
 *
 * The shell applies the whole log, takes the snapshot, empties the log, and must do the same on each server that is left.
 */
import { ok, refuse, type Result } from '../base/result.ts';
import { checkConfiguration, serverOf } from './configuration.ts';
import type { SnapshotMeta } from './contract.ts';
import type { Configuration, ServerId } from './messages.ts';

export interface LogEnd {
  /** Of the log, or of the snapshot where no entry is behind it. */
  readonly lastIndex: number;
  readonly lastTerm: number;
}

/**
 * Term and vote stay as they are: a vote that was given is not given again. Refusals: `raft-configuration-invalid`,
 * `raft-nothing-to-recover`, `raft-unknown-server` when `self` is not in the configuration.
 */
export function recoveredSnapshot(self: ServerId, end: LogEnd, configuration: Configuration): Result<SnapshotMeta> {
  const { lastIndex, lastTerm } = end;
  if (lastIndex === 0) return refuse('raft-nothing-to-recover', 'this server holds neither log nor snapshot', { self });
  const problem = checkConfiguration(configuration);
  if (!problem.ok) return problem;
  if (serverOf(configuration, self) === undefined)
    return refuse('raft-unknown-server', `${self} is not in the configuration`, { id: self });
  return ok({ lastIndex, lastTerm, configuration: { index: lastIndex, configuration } });
}
