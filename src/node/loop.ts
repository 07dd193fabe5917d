/**
 * The one loop: take a bounded batch from a bounded inbox, step the engine, write ONE synced batch, then sign and
 * send, then repeat. Clock, disk, keys and network are handed in, so that a simulation drives exactly this code.
 */
import { assert } from '../base/assert.ts';
import type { CommittedBlock, Effect, Engine, Input, ValidatorIndex } from '../consensus/engine.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { Store } from '../store/store.ts';
import { Inbox, type InboxBounds } from './inbox.ts';
import { planTurn, type Dispatch, type Turn } from './turn.ts';

/** The keys of this node. They stay outside the engine: it asks for a ballot to be cast. */
export interface Signer {
  /** BLS, over a ballot's preimage. */
  bls(preimage: Uint8Array): Uint8Array;
  /** The key of the peer id. */
  identity(preimage: Uint8Array): Uint8Array;
}

/**
 * What the loop needs to know of an engine's messages.
 *
 * @template M an admitted message
 * @template O a message to be sent
 */
export interface Wire<M, O> {
  encode(message: O): Uint8Array;
  withSignature(message: O, signature: Uint8Array): O;
  /** A message that this node just made, for itself. */
  admitOwn(message: O): M;
}

/** Where the results of a turn go. Every method returns at once. */
export interface LoopOutlets<O, J> {
  send(to: ValidatorIndex, frame: Uint8Array, message: O): void;
  /** Durable, in height order. */
  committed(blocks: readonly CommittedBlock[]): void;
  verify(job: Turn<O, J>['jobs'][number]): void;
  fetch(fetch: Turn<O, J>['fetches'][number]): void;
  rejected(rejected: Turn<O, J>['rejected'][number]): void;
  refused(refused: Turn<O, J>['refused'][number]): void;
  evidence(evidence: Turn<O, J>['evidence'][number]): void;
  /** Mempool events that the other validators may have missed. */
  forward(events: readonly VerifiedEvent[]): void;
}

export interface LoopOptions<M, J, R, O> {
  readonly engine: Engine<M, J, R, O>;
  readonly store: Store;
  readonly wire: Wire<M, O>;
  readonly signer: Signer;
  readonly outlets: LoopOutlets<O, J>;
  /** Unix milliseconds. */
  readonly nowMs: () => number;
  /** Validators in the set; 0 for an observer. */
  readonly validators: number;
  /** This node's index; null for an observer. */
  readonly self: ValidatorIndex | null;
  readonly inbox: InboxBounds;
}

/** Inputs of one turn: bounds the batch on disk and the time until a vote leaves. */
const MAX_INPUTS_PER_TURN = 256;

export class Loop<M, J, R, O> {
  readonly #options: LoopOptions<M, J, R, O>;
  readonly #inbox: Inbox<M, R>;
  #turning = false;

  constructor(options: LoopOptions<M, J, R, O>) {
    this.#options = options;
    this.#inbox = new Inbox(options.inbox);
  }

  /** @returns false when the inbox has no room: the input is dropped, as the network may drop it */
  offer(input: Input<M, R>): boolean {
    return this.#inbox.offer(input);
  }

  hasWork(): boolean {
    return this.#inbox.size > 0;
  }

  wakeAtMs(): number | undefined {
    return this.#options.engine.wakeAtMs();
  }

  /**
   * One turn over what waits in the inbox. When it rejects, what is on disk is unknown and nothing was sent: the
   * process must stop.
   */
  async turn(): Promise<void> {
    assert(!this.#turning, 'turns follow each other');
    this.#turning = true;
    const effects: Effect<O, J>[] = [];
    for (const input of this.#inbox.take(MAX_INPUTS_PER_TURN)) {
      effects.push(...this.#options.engine.step(input, this.#options.nowMs()));
    }
    // A ballot on its way to a quorum, most often.
    if (effects.length > 0) await this.#perform(planTurn(effects));
    this.#turning = false;
  }

  async #perform(turn: Turn<O, J>): Promise<void> {
    const { outlets, store } = this.#options;
    const durable = turn.operations.length > 0 ? store.batch(turn.operations, { sync: true }) : Promise.resolve();
    // All of this needs no disk, so it runs while the batch is written; a signature leaves once the batch is durable.
    for (const job of turn.jobs) outlets.verify(job);
    for (const fetch of turn.fetches) outlets.fetch(fetch);
    const [messages] = await Promise.all([this.#signAll(turn.dispatches), durable]);
    for (const [index, dispatch] of turn.dispatches.entries()) this.#send(messages[index] as O, dispatch.to);
    if (turn.forwards.length > 0) outlets.forward(turn.forwards);
    if (turn.commits.length > 0) {
      // What was sent leaves at the end of this tick: now, before the work that a commit makes.
      await Promise.resolve();
      outlets.committed(turn.commits);
    }
    for (const rejected of turn.rejected) outlets.rejected(rejected);
    for (const refused of turn.refused) outlets.refused(refused);
    for (const evidence of turn.evidence) outlets.evidence(evidence);
  }

  /** Asynchronous in form only: so that a failure to sign does not leave the batch's own failure unheard. */
  async #signAll(dispatches: readonly Dispatch<O>[]): Promise<readonly O[]> {
    return dispatches.map((dispatch) => this.#signed(dispatch));
  }

  #signed(dispatch: Dispatch<O>): O {
    if (dispatch.kind === 'send') return dispatch.message;
    const { signer, wire } = this.#options;
    return wire.withSignature(dispatch.message, signer[dispatch.signWith](dispatch.preimage));
  }

  #send(message: O, to: Dispatch<O>['to']): void {
    const { outlets, self, validators, wire } = this.#options;
    const recipients = to === 'all' ? othersOf(validators, self) : to;
    let frame: Uint8Array | undefined;
    for (const recipient of recipients) {
      if (recipient === self) {
        this.#inbox.put({ kind: 'received', from: self, message: wire.admitOwn(message) });
      } else {
        frame ??= wire.encode(message);
        outlets.send(recipient, frame, message);
      }
    }
  }
}

function othersOf(validators: number, self: ValidatorIndex | null): ValidatorIndex[] {
  return Array.from({ length: validators }, (_, index) => index).filter((index) => index !== self);
}
