/**
 * Chained HotStuff (two-chain with timeout certificates: Jolteon, DiemBFT v4) as one synchronous state machine: the
 * composition of its parts.
 *
 * A step takes one input and then does everything that has become possible, in one go: a certificate that is learned
 * commits, moves the round, lets a waiting proposal be voted for, lets this validator propose. So the whole work of a
 * leader between "my certificate is ready" and "my proposal is sent" is one step, with one write to disk.
 */
import { assert, unreachable } from '../base/assert.ts';
import type { Effect, Engine, EngineStatus, Input, ValidatorIndex } from '../consensus/engine.ts';
import type { CollectJob, CollectOutcome } from '../qc/collect.ts';
import type { AdmissionView } from './admission.ts';
import { answerIfStale } from './answering.ts';
import { connectOrphans, fetchFailed, pursue, receiveBlocks, sealedArrived } from './catching-up.ts';
import { collect, jobDone, nextCollectMs, receiveTimeout, receiveVote } from './collecting.ts';
import { newReplica, type HotstuffOptions } from './new-replica.ts';
import { commitNamed, commitSealed, evictForks, passOverForks } from './committing.ts';
import { askForTestimony, nextAskMs, receiveConnected, receiveWitness } from './company.ts';
import { giveUpIfDue, isWantedByOthers } from './giving-up.ts';
import { enterRound, learnCertificate, learnTimeoutCertificate } from './learning.ts';
import type { AdmittedMessage, HotstuffMessage } from './messages.ts';
import { propose } from './proposing.ts';
import { hasWork, leaderAt, nextRipeMs, type Replica } from './replica.ts';
import { restoreBlocks } from './restoring.ts';
import { stopWhereUnknown, takeStopped } from './schema-stop.ts';
import { submit } from './submitting.ts';
import { Turn } from './turn.ts';
import { considerPending, receiveProposal } from './voting.ts';

type HotstuffEffect = Effect<HotstuffMessage, CollectJob>;

export class HotstuffEngine implements Engine<AdmittedMessage, CollectJob, CollectOutcome, HotstuffMessage> {
  readonly #replica: Replica;

  constructor(options: HotstuffOptions) {
    this.#replica = newReplica(options);
    restoreBlocks(this.#replica, options.head, options.uncommitted);
    enterRound(this.#replica);
    stopWhereUnknown(this.#replica);
  }

  step(input: Input<AdmittedMessage, CollectOutcome>, nowMs: number): readonly HotstuffEffect[] {
    const replica = this.#replica;
    replica.clock.observe(nowMs);
    replica.turn = new Turn();
    replica.formed = null;
    if (replica.stopped === null) {
      this.#take(input);
      this.#advance();
    } else {
      takeStopped(replica, input);
    }
    return replica.turn.effects(replica.rules);
  }

  #take(input: Input<AdmittedMessage, CollectOutcome>): void {
    const replica = this.#replica;
    switch (input.kind) {
      case 'started':
      case 'tick':
      case 'announced': // a validator hears of new blocks from those that make them
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
    for (let moved = true; moved;) {
      moved = connectOrphans(replica);
      moved = commitNamed(replica) || moved;
      moved = considerPending(replica) || moved;
      passOverForks(replica);
      moved = propose(replica) || moved;
    }
    if (stopWhereUnknown(replica)) return;
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
    if (replica.stopped !== null) return undefined;
    const { pacemaker, fetcher, clock } = replica;
    const elapsedMs = Math.min(
      pacemaker.expiresAtMs ?? Infinity,
      fetcher.nextMs ?? Infinity,
      nextCollectMs(replica) ?? Infinity,
      nextAskMs(replica) ?? Infinity,
    );
    const dueMs = Math.min(clock.wallOf(elapsedMs), nextRipeMs(replica) ?? Infinity);
    return Number.isFinite(dueMs) ? Math.ceil(dueMs) : undefined;
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
      idle: replica.stopped !== null || !hasWork(replica),
      leader: leaderAt(replica, pacemaker.round),
      silentBecause: replica.stopped?.message ?? rules.silence?.message ?? null,
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
      lastVotedRound: rules.record.lastVotedRound,
      lastVote: rules.record.lastVote,
      verifiedCertificate: (digest) => certificates.get(digest),
      verifiedTimeoutCertificate: (digest) => certificates.getTimeout(digest),
    };
  }
}
