/** A validator's engine as it was before the process ended: from the committed head and the safety record on disk. */
import { assert } from '../base/assert.ts';
import { DEFAULT_MEMPOOL_LIMITS } from '../consensus/mempool.ts';
import { HotstuffEngine } from '../hotstuff/engine.ts';
import { DEFAULT_PACING } from '../hotstuff/replica.ts';
import type { RestoredBlock } from '../hotstuff/restoring.ts';
import { decodeStoredBlock } from '../hotstuff/stored-block.ts';
import type { BlockLog } from '../ledger/block-log.ts';
import { verifiedEvent } from '../ledger/verified-event.ts';
import { certificateVerifiedBefore } from '../qc/certificate.ts';
import type { ValidatorCore, ValidatorSeat } from './core.ts';
import { maySign } from './first-signature.ts';

/** An engine that may not sign follows, and its log says why. */
export async function restoreEngine(core: ValidatorCore, seat: ValidatorSeat): Promise<HotstuffEngine> {
  const { config, context, genesis, ledger } = core;
  const { record, silence } = await maySign(ledger, seat.neverSigned, context.genesis);
  if (silence !== null) core.log.error({ refusal: silence }, 'this validator does not sign');
  const head = ledger.log.sealedBlockAt(ledger.log.head().height);
  assert(head !== undefined, 'the head is in the log');
  return new HotstuffEngine({
    context,
    self: seat.index,
    commitDepth: genesis.commitDepth,
    machine: ledger.machine,
    head,
    record,
    uncommitted: await uncommittedBlocks(ledger.log),
    silence,
    pacing: { ...DEFAULT_PACING, baseTimeoutMs: config.pacemaker.baseTimeoutMs },
    mempool: { ...DEFAULT_MEMPOOL_LIMITS, maxEvents: config.limits.mempoolEvents },
  });
}

/** What this node itself verified before it wrote it. */
async function uncommittedBlocks(log: BlockLog): Promise<readonly RestoredBlock[]> {
  const stored = await log.uncommitted();
  return stored.map(({ id, bytes }) => {
    const decoded = decodeStoredBlock(log.chainId, bytes);
    assert(decoded.ok, 'a block of the own log decodes', { id });
    const { block, justify } = decoded.value;
    return {
      block,
      events: block.events.map((event) => verifiedEvent(event, 'own-log')),
      justify: certificateVerifiedBefore(justify),
    };
  });
}
