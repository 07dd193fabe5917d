/**
 * What a turn of an engine that makes blocks comes to: signatures are made while its batch is written, and leave once it
 * is durable. The keys are here, outside of the engine, which asks for a ballot to be cast.
 */
import type { CommittedBlock, Effect, Input, ValidatorIndex } from '../consensus/engine.ts';
import type { VerifiedEvent } from '../ledger/verified-event.ts';
import type { ShareOf } from './inbox.ts';
import type { Plan } from './loop.ts';
import { planTurn, type Dispatch, type Turn } from './turn.ts';

/** The keys of this node. They stay outside the engine: it asks for a ballot to be cast. */
export interface Signer {
  /** BLS, over a ballot's preimage. */
  bls(preimage: Uint8Array): Uint8Array;
  /** The key of the peer id. */
  identity(preimage: Uint8Array): Uint8Array;
}

/**
 * What the shell needs to know of an engine's messages.
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
export interface TurnOutlets<M, O, J> {
  send(to: ValidatorIndex, frame: Uint8Array, message: O): void;
  /** A message of this validator to itself: its next turn takes it, whatever else waits. */
  receiveOwn(from: ValidatorIndex, message: M): void;
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

export interface TurnPlannerOptions<M, J, O> {
  readonly wire: Wire<M, O>;
  readonly signer: Signer;
  readonly outlets: TurnOutlets<M, O, J>;
  /** Validators in the set; 0 for an observer. */
  readonly validators: number;
  /** This node's index; null for an observer. */
  readonly self: ValidatorIndex | null;
}

export interface InboxBounds {
  /** Messages of one validator. */
  readonly maxMessagesPerPeer: number;
  readonly maxEvents: number;
}

/** Each validator has its own share for messages, and submitted events have a bound in all. */
export function inboxShares<M, R>({ maxEvents, maxMessagesPerPeer }: InboxBounds): ShareOf<Input<M, R>> {
  return (input) => {
    if (input.kind === 'received') return { of: input.from, weight: 1, bound: maxMessagesPerPeer };
    if (input.kind === 'submitted') return { of: 'events', weight: input.events.length, bound: maxEvents };
    return null;
  };
}

/** For `LoopOptions.plan`. */
export function turnPlanner<M, J, O>(options: TurnPlannerOptions<M, J, O>): (effects: readonly Effect<O, J>[]) => Plan {
  return (effects) => new TurnPlan(planTurn(effects), options);
}

class TurnPlan<M, J, O> implements Plan {
  readonly operations: Plan['operations'];
  readonly #turn: Turn<O, J>;
  readonly #options: TurnPlannerOptions<M, J, O>;
  /** As the dispatches of the turn. */
  #signed: readonly O[] = [];

  constructor(turn: Turn<O, J>, options: TurnPlannerOptions<M, J, O>) {
    this.operations = turn.operations;
    this.#turn = turn;
    this.#options = options;
  }

  /** All of this needs no disk, so it runs while the batch is written; a signature leaves once the batch is durable. */
  meanwhile(): void {
    const { outlets } = this.#options;
    for (const job of this.#turn.jobs) outlets.verify(job);
    for (const fetch of this.#turn.fetches) outlets.fetch(fetch);
    this.#signed = this.#turn.dispatches.map((dispatch) => this.#sign(dispatch));
  }

  onceDurable(): void | Promise<void> {
    const { commits, dispatches, forwards } = this.#turn;
    const { outlets } = this.#options;
    for (const [index, dispatch] of dispatches.entries()) this.#send(this.#signed[index] as O, dispatch.to);
    if (forwards.length > 0) outlets.forward(forwards);
    if (commits.length === 0) {
      this.#tell();
      return;
    }
    // What was sent leaves at the end of this tick: now, before the work that a commit makes.
    return Promise.resolve().then(() => {
      outlets.committed(commits);
      this.#tell();
    });
  }

  #tell(): void {
    const { outlets } = this.#options;
    for (const rejected of this.#turn.rejected) outlets.rejected(rejected);
    for (const refused of this.#turn.refused) outlets.refused(refused);
    for (const evidence of this.#turn.evidence) outlets.evidence(evidence);
  }

  #sign(dispatch: Dispatch<O>): O {
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
        outlets.receiveOwn(self, wire.admitOwn(message));
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
