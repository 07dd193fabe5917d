/**
 * The parts of one validator's consensus, side by side. Each part keeps its own rules; the files that receive messages
 * (`voting.ts`, `collecting.ts`, ...) are functions over a replica, and `engine.ts` calls them.
 */
import type { SealedBuffer } from '../consensus/sealed-buffer.ts';
import type { ForwardClock } from '../consensus/forward-clock.ts';
import type { ValidatorIndex } from '../consensus/engine.ts';
import type { Mempool } from '../consensus/mempool.ts';
import type { Hash } from '../base/hash.ts';
import type { Refusal } from '../base/result.ts';
import type { LedgerMachine } from '../ledger/machine.ts';
import { MAX_EVENT_AGE_SECONDS, type BlockContext } from '../ledger/transition.ts';
import type { ProposalData } from '../qc/ballot.ts';
import type { EpochContext, VerifiedCertificate } from '../qc/certificate.ts';
import type { BlockTree } from './block-tree.ts';
import type { CertificateBook } from './certificate-book.ts';
import type { CommitDepth } from './commit-rule.ts';
import type { EvidenceBook } from './evidence-book.ts';
import type { Fetcher } from './fetcher.ts';
import type { JobBook } from './job-book.ts';
import { leaderOf } from './leader.ts';
import type { AdmittedProposal, FetchedBlock, Signed } from './messages.ts';
import type { Pacemaker } from './pacemaker.ts';
import type { Ballot, SafetyRules } from './safety-rules.ts';
import type { TimeoutCollector } from './timeout-collector.ts';
import type { Turn } from './turn.ts';
import type { VoteCollector } from './vote-collector.ts';
import type { Witnesses } from './witnesses.ts';

/** Every duration in milliseconds of the node's clock. */
export interface Pacing {
  /** How long a round may take before it is given up, with no failed round before it. */
  readonly baseTimeoutMs: number;
  /** How long a validator that holds a quorum of votes waits for the next leader to use them. */
  readonly backupDelayMs: number;
}

export const DEFAULT_PACING: Pacing = { baseTimeoutMs: 1000, backupDelayMs: 100 };

export interface Replica {
  readonly context: EpochContext;
  readonly self: ValidatorIndex;
  readonly commitDepth: CommitDepth;
  readonly pacing: Pacing;
  readonly machine: LedgerMachine;
  readonly rules: SafetyRules;
  readonly tree: BlockTree;
  readonly certificates: CertificateBook;
  readonly votes: VoteCollector;
  readonly timeouts: TimeoutCollector;
  readonly pacemaker: Pacemaker;
  readonly clock: ForwardClock;
  readonly mempool: Mempool;
  readonly fetcher: Fetcher;
  readonly witnesses: Witnesses;
  readonly evidence: EvidenceBook;
  readonly jobs: JobBook;
  /** Validators whose stream is up. */
  readonly connected: Set<ValidatorIndex>;
  /** When each validator was last sent an answer to an old message, elapsed milliseconds. */
  readonly answeredAtMs: Map<ValidatorIndex, number>;
  /** The last proposal of each validator, with its signature. */
  readonly proposals: Map<ValidatorIndex, Signed<ProposalData>>;
  /** Blocks that a verified certificate names, and whose parent is not held yet. */
  readonly orphans: Map<Hash, FetchedBlock>;
  /** Blocks let go of while uncommitted, with their heights: on disk until their height is committed. */
  readonly evicted: Map<Hash, number>;
  readonly sealed: SealedBuffer;
  /** Why it takes part no more: the next block is of an event schema that the program does not know. Null: it does. */
  stopped: Refusal | null;
  /** A proposal of the current round that waits for its parent. */
  pending: AdmittedProposal | null;
  /** The certificate whose commit info names the greatest height above the head, when that block is not held yet. */
  commitTarget: VerifiedCertificate | null;
  /** This validator's own proposal of the current round, for those that connect late. */
  ownProposal: Ballot | null;
  /** Made here in this step, and in no proposal yet. */
  formed: VerifiedCertificate | null;
  /** When a testimony was last asked for; null before. */
  askedAtMs: number | null;
  /** Of the present step. */
  turn: Turn;
}

export function othersOf({ context, self }: Replica): ValidatorIndex[] {
  return everybody(context.validators.n).filter((index) => index !== self);
}

export function everybody(n: number): ValidatorIndex[] {
  return Array.from({ length: n }, (_, index) => index);
}

export function leaderAt({ context }: Replica, round: number): ValidatorIndex {
  return leaderOf(context.validators.epoch, round, context.validators.n);
}

/** What a block at this height and time may know. */
export function blockContext({ context }: Replica, height: number, timestamp: number): BlockContext {
  const { chainId, validators } = context;
  return { chainId, epoch: validators.epoch, height, timestamp, validators };
}

/** This node's clock, unix seconds. */
export function nowSeconds({ clock }: Replica): number {
  return Math.floor(clock.wallMs / 1000);
}

/** Something is to be agreed on: a chain that must not be left as it is, or an event that can be in a block. */
export function hasWork(replica: Replica): boolean {
  return mustGoOn(replica) || hasRipeEvent(replica);
}

/**
 * An uncommitted block must not be left behind; or the highest certificate commits nothing. Then whoever proposed its
 * block waited for something, which may be committed here already by a certificate that nobody went on from. Those who
 * wait need two leaders in a row: a leader that is content and proposes nothing would keep them waiting for ever.
 */
export function mustGoOn({ tree, rules }: Replica): boolean {
  const { commit, round } = rules.record.highCertificate.vote;
  return tree.hasWork || (commit === null && round > 0);
}

/** When the first of the events whose time has not come may be in a block: by this node's clock, unix milliseconds. */
export function nextRipeMs(replica: Replica): number | undefined {
  if (replica.mempool.size === 0 || hasWork(replica)) return undefined;
  return (replica.mempool.earliestTime - MAX_EVENT_AGE_SECONDS) * 1000;
}

/**
 * An event waits that can be in a block. Those whose time has not come (all clocks were set back) keep nobody busy.
 *
 * @param besides ids that do not count
 */
export function hasRipeEvent(replica: Replica, besides: ReadonlySet<Hash> = NONE): boolean {
  const latest = Math.max(replica.tree.root.header.timestamp, nowSeconds(replica)) + MAX_EVENT_AGE_SECONDS;
  return replica.mempool.some(({ id, event }) => event.time <= latest && !besides.has(id));
}

const NONE: ReadonlySet<Hash> = new Set();
