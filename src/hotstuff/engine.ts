/**
 * Chained HotStuff (two-chain with timeout certificates: Jolteon, DiemBFT v4) as one synchronous state machine: the
 * composition of its parts.
 *
 * A step takes one input and then does everything that has become possible, in one go: a certificate that is learned
 * commits, moves the round, lets a waiting proposal be voted for, lets this validator propose. So the whole work of a
 * leader between "my certificate is ready" and "my proposal is sent" is one step, with one write to disk.
 */
import { assert, unreachable } from '../base/assert.ts';
import type { Refusal } from '../base/result.ts';
import type { Effect, Engine, EngineStatus, Input, ValidatorIndex } from '../consensus/engine.ts';
import { ForwardClock } from '../consensus/forward-clock.ts';
import { Mempool, type MempoolLimits } from '../consensus/mempool.ts';
import { SealedBuffer } from '../consensus/sealed-buffer.ts';
import type { Block } from '../ledger/block.ts';
import type { LedgerMachine } from '../ledger/machine.ts';
import type { EpochContext, VerifiedCertificate } from '../qc/certificate.ts';
import type { CollectJob, CollectOutcome } from '../qc/collect.ts';
import type { AdmissionView } from './admission.ts';
import { answerIfStale } from './answering.ts';
import { BlockTree } from './block-tree.ts';
import { connectOrphans, fetchFailed, pursue, receiveBlocks, sealedArrived } from './catching-up.ts';
import { CertificateBook } from './certificate-book.ts';
import { collect, jobDone, nextCollectMs, receiveTimeout, receiveVote } from './collecting.ts';
import type { CommitDepth } from './commit-rule.ts';
import { commitNamed, commitSealed, evictForks, passOverForks } from './committing.ts';
import { askForTestimony, nextAskMs, receiveConnected, receiveWitness } from './company.ts';
import { EvidenceBook } from './evidence-book.ts';
import { Fetcher } from './fetcher.ts';
import { giveUpIfDue, isWantedByOthers } from './giving-up.ts';
import { JobBook } from './job-book.ts';
import { enterRound, learnCertificate, learnTimeoutCertificate } from './learning.ts';
import type { AdmittedMessage, HotstuffMessage } from './messages.ts';
import { Pacemaker } from './pacemaker.ts';
import { propose } from './proposing.ts';
import { hasWork, leaderAt, type Pacing, type Replica } from './replica.ts';
import { restoreBlocks, type RestoredBlock } from './restoring.ts';
import type { SafetyRecord } from './safety-record.ts';
import { SafetyRules } from './safety-rules.ts';
import { submit } from './submitting.ts';
import { TimeoutCollector } from './timeout-collector.ts';
import { Turn } from './turn.ts';
import { VoteCollector } from './vote-collector.ts';
import { considerPending, receiveProposal } from './voting.ts';
import { Witnesses } from './witnesses.ts';

export interface HotstuffOptions {
  readonly context: EpochContext & { readonly genesis: VerifiedCertificate };
  readonly self: ValidatorIndex;
  readonly commitDepth: CommitDepth;
  /** At the state of `head`. */
  readonly machine: LedgerMachine;
  /** The last committed block, or genesis. */
  readonly head: Block;
  /** Null when it is missing on disk though it should be there: the engine then follows, and never signs. */
  readonly record: SafetyRecord | null;
  /** From disk, in any order; those that lead nowhere are left. */
  readonly uncommitted: readonly RestoredBlock[];
  /** Why this validator must not sign, as the shell knows it (a restored directory), or null. */
  readonly silence: Refusal | null;
  readonly pacing: Pacing;
  readonly mempool: MempoolLimits;
}

type HotstuffEffect = Effect<HotstuffMessage, CollectJob>;

export class HotstuffEngine implements Engine<AdmittedMessage, CollectJob, CollectOutcome, HotstuffMessage> {
  readonly #replica: Replica;

  constructor(options: HotstuffOptions) {
    this.#replica = replicaOf(options);
    restoreBlocks(this.#replica, options.uncommitted);
    enterRound(this.#replica);
  }

  step(input: Input<AdmittedMessage, CollectOutcome>, nowMs: number): readonly HotstuffEffect[] {
    const replica = this.#replica;
    replica.clock.observe(nowMs);
    replica.turn = new Turn();
    replica.formed = null;
    this.#take(input);
    this.#advance();
    return replica.turn.effects(replica.rules);
  }

  #take(input: Input<AdmittedMessage, CollectOutcome>): void {
    const replica = this.#replica;
    switch (input.kind) {
      case 'started':
      case 'tick':
        return;
      case 'submitted':
        return submit(replica, input.events);
      case 'received':
        return this.#receive(input.from, input.message);
      case 'connected':
        return receiveConnected(replica, input.peer);
      case 'disconnected':
        replica.connected.delete(input.peer);
        return;
      case 'verified':
        return jobDone(replica, input.job, input.outcome);
      case 'sealed':
        return sealedArrived(replica, commitSealed(replica, input.blocks));
      case 'fetched':
        assert(input.message.kind === 'blocks', 'a fetch by id is answered with blocks', { kind: input.message.kind });
        return receiveBlocks(replica, input.request, input.message);
      case 'fetchFailed':
        return fetchFailed(replica, input.request);
      default:
        return unreachable(input);
    }
  }

  #receive(from: ValidatorIndex, message: AdmittedMessage): void {
    const replica = this.#replica;
    switch (message.kind) {
      case 'proposal':
        return receiveProposal(replica, from, message);
      case 'vote':
        return receiveVote(replica, from, message);
      case 'timeout':
        return receiveTimeout(replica, from, message);
      case 'certificate':
        return learnCertificate(replica, message.certificate);
      case 'timeoutCertificate':
        return learnTimeoutCertificate(replica, message.certificate);
      case 'witness':
        return receiveWitness(replica, from, message);
      case 'stale':
        return answerIfStale(replica, from, message.senderRound);
      case 'blocks':
        return; // only as the answer to a fetch
      default:
        return unreachable(message);
    }
  }

  /** Everything that has become possible. */
  #advance(): void {
    const replica = this.#replica;
    const { pacemaker, clock, turn } = replica;
    for (let moved = true; moved; ) {
      moved = connectOrphans(replica);
      moved = commitNamed(replica) || moved;
      moved = considerPending(replica) || moved;
      passOverForks(replica);
      moved = propose(replica) || moved;
    }
    evictForks(replica);
    pacemaker.setBusy(hasWork(replica) || isWantedByOthers(replica), clock.elapsedMs);
    giveUpIfDue(replica);
    collect(replica);
    pursue(replica);
    askForTestimony(replica);
    if (replica.formed !== null) turn.send({ kind: 'certificate', certificate: replica.formed }, 'all');
  }

  wakeAtMs(): number | undefined {
    const replica = this.#replica;
    const { pacemaker, fetcher, clock } = replica;
    const times = [pacemaker.expiresAtMs, fetcher.nextMs, nextCollectMs(replica), nextAskMs(replica)];
    const due = times.filter((time) => time !== undefined);
    return due.length === 0 ? undefined : Math.ceil(clock.wallOf(Math.min(...due)));
  }

  status(): EngineStatus {
    const replica = this.#replica;
    const { rules, tree, pacemaker, mempool, context } = replica;
    return {
      engine: 'hotstuff',
      epoch: context.validators.epoch,
      round: pacemaker.round,
      height: tree.root.header.height,
      headId: tree.root.id,
      stateRoot: tree.root.header.stateRoot,
      highCertificateRound: rules.record.highCertificate.vote.round,
      lockedRound: rules.record.lockedRound,
      lastVotedRound: rules.record.lastVotedRound,
      uncommittedBlocks: tree.uncommittedBlocks,
      mempoolEvents: mempool.size,
      idle: !hasWork(replica),
      leader: leaderAt(replica, pacemaker.round),
      silentBecause: rules.silence?.message ?? null,
    };
  }

  /** What admission may know of this engine now. */
  admissionView(): AdmissionView {
    const { context, self, pacemaker, rules, certificates } = this.#replica;
    return {
      context,
      self,
      round: pacemaker.round,
      highCertificateRound: rules.record.highCertificate.vote.round,
      highTimeoutCertificateRound: rules.record.highTimeoutCertificate?.round ?? 0,
      verifiedCertificate: (digest) => certificates.get(digest),
      verifiedTimeoutCertificate: (digest) => certificates.getTimeout(digest),
    };
  }
}

function replicaOf(options: HotstuffOptions): Replica {
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
    tree: new BlockTree(head, machine.head),
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
    pending: null,
    commitTarget: null,
    ownProposal: null,
    formed: null,
    askedAtMs: null,
    turn: new Turn(),
  };
}
