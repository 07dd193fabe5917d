/**
 * A validator: the HotStuff engine in its loop, streams to the other validators, and the way of a submission from the
 * network into the mempools of all.
 */
import { assert } from '../base/assert.ts';
import { CodedError, type Refusal } from '../base/result.ts';
import type { CommittedBlock, EngineStatus, Input, VerifiedSealedBlock } from '../consensus/engine.ts';
import { DEFAULT_MEMPOOL_LIMITS } from '../consensus/mempool.ts';
import { admitOwn } from '../hotstuff/admission.ts';
import { HotstuffEngine } from '../hotstuff/engine.ts';
import type { AdmittedMessage, HotstuffMessage } from '../hotstuff/messages.ts';
import { DEFAULT_PACING } from '../hotstuff/replica.ts';
import type { RestoredBlock } from '../hotstuff/restoring.ts';
import { decodeStoredBlock } from '../hotstuff/stored-block.ts';
import { encodeMessage, withSignature } from '../hotstuff/wire.ts';
import { decodeSignedEvent } from '../ledger/event.ts';
import { verifiedEvent, type VerifiedEvent } from '../ledger/verified-event.ts';
import { ValidatorStreams } from '../net/validator-streams.ts';
import { certificateFromOwnDisk } from '../qc/certificate.ts';
import type { CollectJob, CollectOutcome } from '../qc/collect.ts';
import { BallotTrace } from './ballot-trace.ts';
import { validatorTarget, type NetworkedCore, type ValidatorSeat } from './core.ts';
import { Fetching } from './fetching.ts';
import { maySign } from './first-signature.ts';
import { Loop, type LoopOutlets } from './loop.ts';
import { decodePeerFrame, eventFrames, messageFrame } from './peer-frame.ts';
import { Runner } from './runner.ts';
import { Submissions, type SubmissionPolicy } from './submissions.ts';

/** What consensus tells the rest of the node. */
export interface ConsensusOutlets {
  /** Durable, in height order. */
  committed(blocks: readonly CommittedBlock[]): void;
  /** The node must stop: a write failed, or our own bug. */
  fatal(error: unknown): void;
}

/** A running engine of either kind, as the rest of the node sees it. */
export interface Consensus {
  status(): EngineStatus;
  /** Committed blocks that came by gossip. */
  offerSealed(blocks: readonly VerifiedSealedBlock[]): void;
  /** Validators that this node has a stream to; those of an observer are connections. */
  connectedValidators(): number;
  /** Null for an observer. */
  readonly submissions: Submissions | null;
  stop(): Promise<void>;
}

/** Events of one validator that may be under check at once; more are dropped, as the network may drop them. */
const MAX_EVENTS_UNDER_CHECK_PER_PEER = 4096;
const SUBMISSION_WAIT_MS = 10_000;

export async function startValidator(
  core: NetworkedCore,
  seat: ValidatorSeat,
  outlets: ConsensusOutlets,
): Promise<Consensus> {
  const validator = new RunningValidator(core, seat, await restoreEngine(core, seat), outlets);
  await validator.start();
  return validator;
}

class RunningValidator implements Consensus {
  readonly submissions: Submissions;
  readonly #core: NetworkedCore;
  readonly #seat: ValidatorSeat;
  readonly #engine: HotstuffEngine;
  readonly #outlets: ConsensusOutlets;
  readonly #runner: Runner<AdmittedMessage, CollectJob, CollectOutcome, HotstuffMessage>;
  readonly #streams: ValidatorStreams;
  readonly #fetching: Fetching;
  readonly #ballots: BallotTrace;
  readonly #eventsUnderCheck = new Map<string, number>();
  #admitted: VerifiedEvent[] = [];

  constructor(core: NetworkedCore, seat: ValidatorSeat, engine: HotstuffEngine, outlets: ConsensusOutlets) {
    this.#core = core;
    this.#seat = seat;
    this.#engine = engine;
    this.#outlets = outlets;
    this.#ballots = new BallotTrace(core.log, core.context.chainId);
    this.#runner = new Runner(this.#loop(), core.nowMs, outlets.fatal);
    this.#streams = new ValidatorStreams({
      host: core.host,
      validators: core.context.validators.members.map(({ peerId }) => ({
        peerId,
        multiaddrs: () => core.addresses.of(peerId),
      })),
      onFrame: (peerId, frame) => {
        this.#frame(peerId, frame);
      },
      onConnected: (peerId) => {
        this.#offer({ kind: 'connected', peer: this.#indexOf(peerId) });
      },
      onDisconnected: (peerId) => {
        this.#offer({ kind: 'disconnected', peer: this.#indexOf(peerId) });
      },
      onRefused: (peerId, refusal) => {
        core.log.debug({ peerId, refusal }, 'stream refused');
      },
    });
    this.#fetching = new Fetching({
      client: core.sync,
      admission: core.admission,
      view: () => engine.admissionView(),
      target: (index) => validatorTarget(core, index),
      offer: (input) => {
        this.#offer(input);
      },
      onRefused: (from, refusal) => {
        core.log.debug({ from, refusal }, 'fetch refused');
      },
    });
    this.submissions = new Submissions({
      verifier: core.events,
      state: core.ledger.machine,
      policy: policyOf(core),
      maxWaiting: core.config.submission.waitingEvents,
      maxWaitMs: SUBMISSION_WAIT_MS,
      nowMs: core.nowMs,
      quorumReachable: () => this.connectedValidators() + 1 >= core.context.validators.quorum,
      admit: (event) => {
        this.#admit(event);
      },
    });
  }

  async start(): Promise<void> {
    await this.#streams.start();
    this.#offer({ kind: 'started' });
  }

  status(): EngineStatus {
    return this.#engine.status();
  }

  offerSealed(blocks: readonly VerifiedSealedBlock[]): void {
    this.#offer({ kind: 'sealed', blocks });
  }

  connectedValidators(): number {
    return this.#streams.connected().length;
  }

  async stop(): Promise<void> {
    this.submissions.close();
    await this.#runner.stop();
    await this.#streams.stop();
  }

  #loop(): Loop<AdmittedMessage, CollectJob, CollectOutcome, HotstuffMessage> {
    const { config, context, identity, ledger, nowMs, scheme } = this.#core;
    const { blsSecretKey, index } = this.#seat;
    return new Loop({
      engine: this.#engine,
      store: ledger.store,
      wire: {
        encode: (message) => messageFrame(encodeMessage(message)),
        withSignature,
        admitOwn: (message) => {
          this.#ballots.sent(index, message);
          return admittedOwn(message);
        },
      },
      signer: {
        bls: (preimage) => scheme.sign(blsSecretKey, preimage),
        identity: (preimage) => identity.sign(preimage),
      },
      outlets: this.#loopOutlets(),
      nowMs,
      validators: context.validators.n,
      self: index,
      maxWaitingPerPeer: config.limits.inboxMessages,
    });
  }

  #loopOutlets(): LoopOutlets<HotstuffMessage, CollectJob> {
    const { log } = this.#core;
    return {
      send: (to, frame, message) => {
        this.#ballots.sent(to, message);
        this.#streams.send(this.#peerIdOf(to), frame, 'consensus');
      },
      committed: (blocks) => {
        this.#committed(blocks);
      },
      verify: ({ job, work }) => {
        this.#background(this.#verify(job, work));
      },
      fetch: (fetch) => {
        this.#background(this.#fetching.perform(fetch));
      },
      rejected: ({ event, refusal }) => {
        this.submissions.rejected(event, refusal);
      },
      refused: ({ from, refusal }) => {
        log.debug({ from, refusal }, 'refused');
      },
      evidence: ({ offender, epoch }) => {
        log.warn({ offender: this.#peerIdOf(offender), epoch }, 'a validator signed two different ballots for a round');
      },
      forward: (events) => {
        this.#sendEvents(events);
      },
    };
  }

  #committed(blocks: readonly CommittedBlock[]): void {
    const last = blocks.at(-1);
    assert(last !== undefined, 'a commit has blocks');
    this.#core.ledger.machine.settled(last.block.header.height);
    this.submissions.committed(blocks);
    this.#outlets.committed(blocks);
  }

  async #verify(job: number, work: CollectJob): Promise<void> {
    const answer = await this.#core.pool.run({ kind: 'collect', work }, 'consensus');
    assert(answer.ok && answer.value.kind === 'collected', 'a collect job is answered with its outcome', { job });
    this.#offer({ kind: 'verified', job, outcome: answer.value.outcome });
  }

  #frame(peerId: string, frame: Uint8Array): void {
    const decoded = decodePeerFrame(frame);
    if (!decoded.ok) this.#refused(peerId, decoded.refusal);
    else if (decoded.value.kind === 'message') this.#background(this.#message(peerId, decoded.value.message));
    else this.#background(this.#events(peerId, decoded.value.events));
  }

  async #message(peerId: string, message: Uint8Array): Promise<void> {
    const from = this.#indexOf(peerId);
    this.#ballots.received(from, message);
    const admitted = await this.#core.admission.message(from, message, this.#engine.admissionView());
    if (admitted.ok) this.#offer({ kind: 'received', from, message: admitted.value });
    else this.#refused(peerId, admitted.refusal);
  }

  /** Another validator's submissions: each is checked here too, once, before it enters the mempool. */
  async #events(peerId: string, encoded: readonly Uint8Array[]): Promise<void> {
    const share = this.#eventsUnderCheck.get(peerId) ?? 0;
    if (share + encoded.length > MAX_EVENTS_UNDER_CHECK_PER_PEER) return;
    this.#eventsUnderCheck.set(peerId, share + encoded.length);
    const events = await Promise.all(encoded.map((bytes) => this.#event(peerId, bytes)));
    this.#eventsUnderCheck.set(peerId, (this.#eventsUnderCheck.get(peerId) as number) - encoded.length);
    const admitted = events.filter((event) => event !== undefined);
    if (admitted.length > 0) this.#offer({ kind: 'submitted', events: admitted });
  }

  async #event(peerId: string, bytes: Uint8Array): Promise<VerifiedEvent | undefined> {
    const decoded = decodeSignedEvent(this.#core.context.chainId, bytes);
    const verified = decoded.ok ? await this.#core.events.verify(decoded.value) : decoded;
    if (verified.ok) return verified.value;
    this.#refused(peerId, verified.refusal);
    return undefined;
  }

  /** All that is admitted in one tick goes to the engine and to the others together. */
  #admit(event: VerifiedEvent): void {
    this.#admitted.push(event);
    if (this.#admitted.length > 1) return;
    setImmediate(() => {
      const events = this.#admitted;
      this.#admitted = [];
      this.#sendEvents(events);
      this.#offer({ kind: 'submitted', events });
    });
  }

  #sendEvents(events: readonly VerifiedEvent[]): void {
    for (const frame of eventFrames(events.map(({ bytes }) => bytes))) {
      for (const peerId of this.#streams.connected()) this.#streams.send(peerId, frame, 'events');
    }
  }

  #offer(input: Input<AdmittedMessage, CollectOutcome>): void {
    if (!this.#runner.offer(input)) this.#core.log.debug({ kind: input.kind }, 'input dropped');
  }

  #refused(peerId: string, refusal: Refusal): void {
    this.#core.log.debug({ peerId, refusal }, 'message refused');
  }

  /** Work that answers through the inbox. It fails only by our own bug or because the node is closing. */
  #background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (error instanceof CodedError && error.code === 'verification-closed') return;
      this.#outlets.fatal(error);
    });
  }

  #indexOf(peerId: string): number {
    const index = this.#core.context.validators.indexOf(peerId);
    assert(index !== undefined, 'streams are with validators of the set', { peerId });
    return index;
  }

  #peerIdOf(index: number): string {
    return this.#core.context.validators.member(index).peerId;
  }
}

function admittedOwn(message: HotstuffMessage): AdmittedMessage {
  assert(message.kind === 'vote' || message.kind === 'timeout', 'a validator sends itself only its ballots', {
    kind: message.kind,
  });
  return admitOwn(message);
}

async function restoreEngine(core: NetworkedCore, seat: ValidatorSeat): Promise<HotstuffEngine> {
  const { config, context, genesis, ledger } = core;
  const { record, silence } = await maySign(ledger, seat.blsKeyFile, context.genesis);
  if (silence !== null) core.log.error({ refusal: silence }, 'this validator does not sign');
  const head = ledger.log.sealedBlockAt(ledger.log.head().height);
  assert(head !== undefined, 'the head is in the log');
  return new HotstuffEngine({
    context,
    self: seat.index,
    commitDepth: genesis.commitDepth,
    machine: ledger.machine,
    head: head.block,
    record,
    uncommitted: await uncommittedBlocks(core),
    silence,
    pacing: { ...DEFAULT_PACING, baseTimeoutMs: config.pacemaker.baseTimeoutMs },
    mempool: { ...DEFAULT_MEMPOOL_LIMITS, maxEvents: config.limits.mempoolEvents },
  });
}

async function uncommittedBlocks({ ledger }: NetworkedCore): Promise<readonly RestoredBlock[]> {
  const stored = await ledger.log.uncommitted();
  return stored.map(({ id, bytes }) => {
    const decoded = decodeStoredBlock(ledger.log.chainId, bytes);
    assert(decoded.ok, 'a block of the own log decodes', { id });
    const { block, justify } = decoded.value;
    return {
      block,
      events: block.events.map((event) => verifiedEvent(event, 'own-log')),
      justify: certificateFromOwnDisk(justify),
    };
  });
}

function policyOf({ config }: NetworkedCore): SubmissionPolicy {
  const { allow, policy } = config.submission;
  return policy === 'allow-list' ? { kind: policy, peerIds: new Set(allow) } : { kind: policy };
}
