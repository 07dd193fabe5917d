/** A replica as it is before its first step: the parts put together, from what the shell read off the disk. */
import { assert } from '../base/assert.ts';
import type { Refusal } from '../base/result.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import { ForwardClock } from '../consensus/forward-clock.ts';
import { Mempool, type MempoolLimits } from '../consensus/mempool.ts';
import { SealedBuffer } from '../consensus/sealed-buffer.ts';
import type { SealedBlock } from '../ledger/block.ts';
import type { LedgerMachine } from '../ledger/machine.ts';
import type { EpochContext, VerifiedCertificate } from '../qc/certificate.ts';
import { BlockTree } from './block-tree.ts';
import { CertificateBook } from './certificate-book.ts';
import type { CommitDepth } from './commit-rule.ts';
import { EvidenceBook } from './evidence-book.ts';
import { Fetcher } from './fetcher.ts';
import { JobBook } from './job-book.ts';
import { Pacemaker } from './pacemaker.ts';
import type { Pacing, Replica } from './replica.ts';
import type { RestoredBlock } from './restoring.ts';
import type { SafetyRecord } from './safety-record.ts';
import { SafetyRules } from './safety-rules.ts';
import { TimeoutCollector } from './timeout-collector.ts';
import { Turn } from './turn.ts';
import { VoteCollector } from './vote-collector.ts';
import { Witnesses } from './witnesses.ts';

export interface HotstuffOptions {
  readonly context: EpochContext & { readonly genesis: VerifiedCertificate };
  readonly self: ValidatorIndex;
  readonly commitDepth: CommitDepth;
  /** At the state of `head`. */
  readonly machine: LedgerMachine;
  /** The last committed block, or genesis. */
  readonly head: SealedBlock;
  /** Null when it is missing on disk though it should be there: the engine then follows, and never signs. */
  readonly record: SafetyRecord | null;
  /** From disk, in any order; those that lead nowhere are left. */
  readonly uncommitted: readonly RestoredBlock[];
  /** Why this validator must not sign, as the shell knows it (a restored directory), or null. */
  readonly silence: Refusal | null;
  readonly pacing: Pacing;
  readonly mempool: MempoolLimits;
}

export function newReplica(options: HotstuffOptions): Replica {
  const { context, self, commitDepth, pacing, machine, head, record, silence, mempool } = options;
  const { chainId, validators, genesis } = context;
  const { epoch, quorum, n } = validators;
  assert(self >= 0 && self < n, 'this validator is in the set', { self, n });
  const chain = { chainId, epoch };
  const rules = new SafetyRules({ chain, self, quorum, commitDepth, genesis, record, silence });
  const certificates = new CertificateBook();
  for (const certificate of [genesis, rules.record.highCertificate]) certificates.add(certificate);
  const skipped = rules.record.highTimeoutCertificate;
  if (skipped !== null) {
    certificates.addTimeout(skipped);
    certificates.add(skipped.highCertificate);
  }
  return {
    context,
    self,
    commitDepth,
    pacing,
    machine,
    rules,
    certificates,
    tree: new BlockTree(head.block, machine.head),
    votes: new VoteCollector(quorum),
    timeouts: new TimeoutCollector(quorum),
    pacemaker: new Pacemaker(pacing.baseTimeoutMs),
    clock: new ForwardClock(),
    mempool: new Mempool(mempool),
    fetcher: new Fetcher(pacing.baseTimeoutMs),
    witnesses: new Witnesses(epoch),
    evidence: new EvidenceBook(chain),
    jobs: new JobBook(),
    sealed: new SealedBuffer(),
    connected: new Set(),
    answeredAtMs: new Map(),
    proposals: new Map(),
    orphans: new Map(),
    evicted: new Map(),
    stopped: null,
    pending: null,
    commitTarget: null,
    ownProposal: null,
    formed: null,
    askedAtMs: null,
    turn: new Turn(),
  };
}
