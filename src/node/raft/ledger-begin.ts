/** BASE: a leader begins the ledger, once, when nothing before it is left to apply. */
import { ok, refuse, type Result } from '../../base/result.ts';
import { encodeControlRecord } from '../../ledger/control-record.ts';
import { ENTRY_TYPES } from '../../raft/messages.ts';
import type { RaftLedger } from './ledger-machine.ts';
import type { LedgerOutcome } from './ledger-outcome.ts';
import type { RaftServer } from './raft-server.ts';

/**
 * @returns the index of BASE. Refusals: `base-exists`, and those of a proposal
 */
export async function beginLedger(
  server: Pick<RaftServer<LedgerOutcome>, 'barrier' | 'proposeWith'>,
  ledger: Pick<RaftLedger, 'base' | 'chainId'>,
  nowMs: () => number,
): Promise<Result<number>> {
  // Another leader may have begun it, in an entry that is not applied here yet.
  const caughtUp = await server.barrier();
  if (!caughtUp.ok) return caughtUp;
  const { base } = ledger;
  if (base !== null) return refuse('base-exists', 'the ledger has begun already', { index: base.index });
  const record = { kind: 'base', chainId: ledger.chainId, timeSeconds: Math.floor(nowMs() / 1000) } as const;
  return new Promise((resolve) => {
    server.proposeWith(
      encodeControlRecord(record),
      (outcome) => resolve(outcome.ok ? ok(outcome.value.index) : outcome),
      ENTRY_TYPES.noop,
    );
  });
}
