/**
 * A validator's engine as it was before the process ended: from the committed head and the safety record on disk. What is
 * read here decides rounds and votes, so nothing is taken for what it was without a check: blocks are known by their
 * hashes, their certificates by the blocks, the seal of the head by its signatures.
 */
import { assert } from '../base/assert.ts';
import { codedError, refuse, type Refusal } from '../base/result.ts';
import { DEFAULT_MEMPOOL_LIMITS } from '../consensus/mempool.ts';
import { HotstuffEngine } from '../hotstuff/engine.ts';
import { DEFAULT_PACING } from '../hotstuff/replica.ts';
import type { RestoredBlock } from '../hotstuff/restoring.ts';
import { decodeStoredBlock } from '../hotstuff/stored-block.ts';
import type { SafetyRecord } from '../hotstuff/safety-record.ts';
import type { BlockLog } from '../ledger/block-log.ts';
import type { SealedBlock } from '../ledger/block.ts';
import { decodeCommitProof, verifyCommitProof } from '../ledger/commit-proof.ts';
import { verifiedEvent } from '../ledger/verified-event.ts';
import { certificateVerifiedBefore } from '../qc/certificate.ts';
import type { ValidatorCore, ValidatorSeat } from './core.ts';
import { maySign } from './first-signature.ts';

type RestoringCore = Pick<ValidatorCore, 'config' | 'context' | 'genesis' | 'ledger' | 'log' | 'scheme'>;

/** An engine that may not sign follows, and its log says why. @throws CodedError `store-corrupt` */
export async function restoreEngine(core: RestoringCore, seat: ValidatorSeat): Promise<HotstuffEngine> {
  const { config, context, genesis, ledger } = core;
  const { record, silence: unsigned } = await maySign(ledger, seat.neverSigned, context.genesis);
  const head = ledger.log.sealedBlockAt(ledger.log.head().height);
  assert(head !== undefined, 'the head is in the log');
  checkSeal(core, head);
  const uncommitted = await uncommittedBlocks(ledger.log);
  const silence = unsigned ?? rollbackOf(record, uncommitted);
  if (silence !== null) core.log.error({ refusal: silence }, 'this validator does not sign');
  return new HotstuffEngine({
    context,
    self: seat.index,
    commitDepth: genesis.commitDepth,
    machine: ledger.machine,
    head,
    record,
    uncommitted,
    silence,
    pacing: { ...DEFAULT_PACING, baseTimeoutMs: config.pacemaker.baseTimeoutMs },
    mempool: { ...DEFAULT_MEMPOOL_LIMITS, maxEvents: config.limits.mempoolEvents },
  });
}

/** The certificate in it is learned as one that was verified before, and no id of a block covers it. */
function checkSeal({ context, scheme }: RestoringCore, { block, seal }: SealedBlock): void {
  if (seal.kind !== 'hotstuff') return;
  const proof = decodeCommitProof(seal.bytes);
  const verified = proof.ok ? verifyCommitProof(proof.value, block, { ...context, scheme }) : proof;
  if (verified.ok) return;
  const { height } = block.header;
  throw codedError('store-corrupt', 'the seal of the head is not valid', { height, because: verified.refusal.code });
}

/** A block is written with the safety record of its round, or after it: a record that is older came back from before. */
function rollbackOf(record: SafetyRecord | null, uncommitted: readonly RestoredBlock[]): Refusal | null {
  const round = Math.max(0, ...uncommitted.map(({ block }) => block.header.round));
  if (record === null || round <= record.lastVotedRound) return null;
  return refuse('safety-record-rolled-back', 'the disk holds a block of a later round than the safety record', {
    round,
    lastVotedRound: record.lastVotedRound,
  }).refusal;
}

/** What this node itself verified before it wrote it. */
async function uncommittedBlocks(log: BlockLog): Promise<readonly RestoredBlock[]> {
  const stored = await log.uncommitted();
  return stored.flatMap(({ id, bytes }) => {
    const decoded = decodeStoredBlock(log.chainId, bytes);
    if (decoded.ok && decoded.value.block.id === id) {
      const { block, justify } = decoded.value;
      const events = block.events.map((event) => verifiedEvent(event, 'own-log'));
      return [{ block, events, justify: certificateVerifiedBefore(justify) }];
    }
    // A newer program wrote it. This one stops below it, and votes for nothing there.
    if (!decoded.ok && decoded.refusal.code === 'schema-not-known') return [];
    throw codedError('store-corrupt', 'an uncommitted block is not the one that was written', {
      id,
      because: decoded.ok ? 'another-block' : decoded.refusal.code,
    });
  });
}
