/** A validator: the HotStuff engine in its loop, and links to the other validators. */
import { assert } from '../base/assert.ts';
import type { Refusal } from '../base/result.ts';
import type { CommittedBlock, Effect, EngineStatus, Input, VerifiedSealedBlock } from '../consensus/engine.ts';
import { admitOwn } from '../hotstuff/admission.ts';
import type { HotstuffEngine } from '../hotstuff/engine.ts';
import type { AdmittedMessage, HotstuffMessage } from '../hotstuff/messages.ts';
import { encodeMessage, withSignature } from '../hotstuff/wire.ts';
import type { CollectJob, CollectOutcome } from '../qc/collect.ts';
import { BallotTrace } from './ballot-trace.ts';
import { validatorTarget, type ValidatorCore, type ValidatorSeat } from './core.ts';
import type { Consensus, ConsensusOutlets } from './consensus.ts';
import { EventRelay } from './event-relay.ts';
import { Fetching } from './fetching.ts';
import { Loop } from './loop.ts';
import { decodePeerFrame, messageFrame } from './peer-frame.ts';
import { prunedWatch, type PrunedWatch } from './pruned-watch.ts';
import { restoreEngine } from './restore-engine.ts';
import { Runner } from './runner.ts';
import { Submissions, type SubmissionPolicy } from './submissions.ts';
import { inboxShares, turnPlanner, type TurnOutlets } from './turn-planner.ts';
import type { OpenLinks, ValidatorLinks } from './validator-links.ts';

const SUBMISSION_WAIT_MS = 10_000;

export interface RunningValidator extends Consensus {
  readonly submissions: Submissions;
  /** What waits for its loop, by share: `inboxShares` says what the shares are. */
  readonly waiting: ReadonlyMap<string | number, number>;
}

/** @throws CodedError of the links' start */
export async function startValidator(
  core: ValidatorCore,
  seat: ValidatorSeat,
  openLinks: OpenLinks,
  outlets: ConsensusOutlets,
): Promise<RunningValidator> {
  const validator = new Validator(core, seat, await restoreEngine(core, seat), openLinks, outlets);
  await validator.start();
  return validator;
}

type ValidatorInput = Input<AdmittedMessage, CollectOutcome>;
type ValidatorEffect = Effect<HotstuffMessage, CollectJob>;

class Validator implements RunningValidator {
  readonly submissions: Submissions;
  readonly #core: ValidatorCore;
  readonly #seat: ValidatorSeat;
  readonly #engine: HotstuffEngine;
  readonly #outlets: ConsensusOutlets;
  readonly #runner: Runner<ValidatorInput, ValidatorEffect>;
  readonly #links: ValidatorLinks;
  readonly #fetching: Fetching;
  readonly #relay: EventRelay;
  readonly #ballots: BallotTrace;
  readonly #pruned: PrunedWatch;
  #stopped = false;

  constructor(
    core: ValidatorCore,
    seat: ValidatorSeat,
    engine: HotstuffEngine,
    openLinks: OpenLinks,
    outlets: ConsensusOutlets,
  ) {
    this.#core = core;
    this.#seat = seat;
    this.#engine = engine;
    this.#outlets = outlets;
    this.#ballots = new BallotTrace(core.log, core.context.chainId);
    this.#runner = new Runner<ValidatorInput, ValidatorEffect>(this.#loop(), core.nowMs, outlets.fatal);
    this.#links = openLinks({
      onFrame: (peerId, frame) => this.#frame(peerId, frame),
      onConnected: (peerId) => void this.#offer({ kind: 'connected', peer: this.#indexOf(peerId) }),
      onDisconnected: (peerId) => void this.#offer({ kind: 'disconnected', peer: this.#indexOf(peerId) }),
      onRefused: (peerId, refusal) => core.log.debug({ peerId, refusal }, 'stream refused'),
    });
    this.#pruned = prunedWatch(core.context.validators, outlets.prunedAway);
    this.#fetching = new Fetching({
      client: core.sync,
      admission: core.admission,
      view: () => engine.admissionView(),
      target: (index) => validatorTarget(core, index),
      offer: (input) => this.#offer(input),
      onRefused: (from, refusal) => {
        core.log.debug({ from, refusal }, 'fetch refused');
        this.#pruned.refused(from, refusal);
      },
    });
    this.#relay = new EventRelay({
      chainId: core.context.chainId,
      verifier: core.events,
      submit: (events) => this.#offer({ kind: 'submitted', events }),
      broadcast: (frame) => {
        for (const peerId of this.#links.connected()) this.#links.send(peerId, frame, 'events');
      },
      onRejected: ({ id }, refusal) => this.submissions.rejected(id, refusal),
      onRefused: (peerId, refusal) => this.#refused(peerId, refusal),
    });
    this.submissions = new Submissions({
      verifier: core.events,
      durableState: core.ledger.machine.durable,
      policy: policyOf(core),
      maxWaiting: core.config.submission.waitingEvents,
      maxWaitMs: SUBMISSION_WAIT_MS,
      nowMs: core.nowMs,
      quorumReachable: () => this.connectedValidators() + 1 >= core.context.validators.quorum,
      admit: (event) => this.#relay.admit(event),
    });
  }

  async start(): Promise<void> {
    await this.#links.start();
    this.#offer({ kind: 'started' });
  }

  status(): EngineStatus {
    return this.#engine.status();
  }

  get waiting(): ReadonlyMap<string | number, number> {
    return this.#runner.waiting;
  }

  offerSealed(blocks: readonly VerifiedSealedBlock[]): void {
    this.#offer({ kind: 'sealed', blocks });
  }

  announced(): void {
    this.#offer({ kind: 'announced' });
  }

  isPrunedAway(): boolean {
    return this.#pruned.isPruned;
  }

  connectedValidators(): number {
    return this.#links.connected().length;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.submissions.close();
    await this.#runner.stop();
    await this.#links.stop();
  }

  #loop(): Loop<ValidatorInput, ValidatorEffect> {
    const { config, context, identity, ledger, nowMs, scheme } = this.#core;
    const { blsSecretKey, index } = this.#seat;
    const { inboxMessages: maxMessagesPerPeer, mempoolEvents: maxEvents } = config.limits;
    const loop = new Loop<ValidatorInput, ValidatorEffect>({
      engine: this.#engine,
      store: ledger.store,
      plan: turnPlanner<AdmittedMessage, CollectJob, HotstuffMessage>({
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
        outlets: {
          ...this.#turnOutlets(),
          receiveOwn: (from, message) => loop.put({ kind: 'received', from, message }),
        },
        validators: context.validators.n,
        self: index,
      }),
      disk: { kind: 'before' },
      nowMs,
      shareOf: inboxShares({ maxMessagesPerPeer, maxEvents }),
    });
    return loop;
  }

  #turnOutlets(): Omit<TurnOutlets<AdmittedMessage, HotstuffMessage, CollectJob>, 'receiveOwn'> {
    const { log } = this.#core;
    return {
      send: (to, frame, message) => {
        this.#ballots.sent(to, message);
        this.#links.send(this.#peerIdOf(to), frame, 'consensus');
      },
      committed: (blocks) => this.#committed(blocks),
      verify: ({ job, work }) => this.#background(this.#verify(job, work)),
      fetch: (fetch) => this.#background(this.#fetching.perform(fetch)),
      rejected: ({ event, refusal }) => this.submissions.rejected(event, refusal),
      refused: ({ from, refusal }) => log.debug({ from, refusal }, 'refused'),
      evidence: ({ offender, epoch }) =>
        log.warn({ offender: this.#peerIdOf(offender), epoch }, 'a validator signed two different ballots for a round'),
      forward: (events) => this.#relay.forward(events),
    };
  }

  #committed(blocks: readonly CommittedBlock[]): void {
    const last = blocks.at(-1);
    assert(last !== undefined, 'a commit has blocks');
    this.#core.ledger.machine.settled(last.block.header.height);
    this.#pruned.progressed();
    for (const { block } of blocks) this.#core.events.forget(block.events);
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
    else this.#background(this.#relay.receive(peerId, decoded.value.events));
  }

  async #message(peerId: string, message: Uint8Array): Promise<void> {
    const from = this.#indexOf(peerId);
    this.#ballots.received(from, message);
    const admitted = await this.#core.admission.message(from, message, this.#engine.admissionView());
    if (admitted.ok) this.#offer({ kind: 'received', from, message: admitted.value });
    else this.#refused(peerId, admitted.refusal);
  }

  /** @returns false when there was no room for it */
  #offer(input: ValidatorInput): boolean {
    const taken = this.#runner.offer(input);
    if (!taken) this.#core.log.debug({ kind: input.kind }, 'input dropped');
    return taken;
  }

  #refused(peerId: string, refusal: Refusal): void {
    this.#core.log.debug({ peerId, refusal }, 'message refused');
  }

  /** Work that answers through the inbox. It fails only by our own bug, or because the node is stopping. */
  #background(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!this.#stopped) this.#outlets.fatal(error);
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

function policyOf({ config }: ValidatorCore): SubmissionPolicy {
  const { allow, policy } = config.submission;
  return policy === 'allow-list' ? { kind: policy, peerIds: new Set(allow) } : { kind: policy };
}
